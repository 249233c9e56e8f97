-- Of all values that were agreed on, keyed; null when some were not. A sweep asks by it whether a base is up to date.
ALTER TABLE recon_links ADD COLUMN digest BYTEA;
-- One more at every change: who has seen another one does not write it.
ALTER TABLE recon_links ADD COLUMN version BIGINT NOT NULL DEFAULT 1;

-- What is being written to one entity: made with the write on our side, gone when the change log has it. After a crash
-- the next who looks at the entity finishes it.
CREATE TABLE recon_intents (
    entity_type TEXT NOT NULL,
    entity_id   UUID NOT NULL,
    id          UUID NOT NULL,
    job_id      UUID NOT NULL,
    plan        JSONB NOT NULL,
    created_at  TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (entity_type, entity_id)
);

-- What is known to differ now.
CREATE TABLE recon_drift (
    entity_type   TEXT NOT NULL,
    entity_id     UUID NOT NULL,
    kind          TEXT NOT NULL CHECK (kind IN ('differs', 'missing_document', 'missing_relational', 'conflict')),
    text          TEXT NOT NULL,
    first_seen    TIMESTAMPTZ NOT NULL,
    last_seen     TIMESTAMPTZ NOT NULL,
    missing_since TIMESTAMPTZ,                                         -- on one side, although both had agreed on it
    sweep_id      UUID,                                         -- that has still to look at it
    PRIMARY KEY (entity_type, entity_id)
);
CREATE INDEX recon_drift_age ON recon_drift (first_seen, entity_id);
CREATE INDEX recon_drift_sweep ON recon_drift (sweep_id, entity_type, entity_id) WHERE sweep_id IS NOT NULL;

CREATE TABLE recon_sweeps (
    id          UUID NOT NULL PRIMARY KEY,   -- UUIDv7
    mode        TEXT NOT NULL CHECK (mode IN ('full', 'incremental')),
    entity_type TEXT,                                           -- null: all of them
    dry_run     BOOLEAN NOT NULL,
    status      TEXT NOT NULL CHECK (status IN ('running', 'paused', 'needs_approval', 'completed', 'cancelled', 'failed')),
    stage       TEXT NOT NULL CHECK (stage IN ('compare', 'recheck', 'apply', 'done')),
    text        TEXT NOT NULL,
    state       JSONB NOT NULL,        -- counts, cursor, digests: what a resumed sweep needs
    job_id      UUID NOT NULL,
    created_by  TEXT NOT NULL,
    created_at  TIMESTAMPTZ NOT NULL,
    updated_at  TIMESTAMPTZ NOT NULL,
    ended_at    TIMESTAMPTZ
);
-- One of each mode at a time.
CREATE UNIQUE INDEX recon_sweeps_open ON recon_sweeps (mode) WHERE status IN ('running', 'paused', 'needs_approval');

-- Until when the changes of a side were compared.
CREATE TABLE recon_watermarks (
    entity_type TEXT NOT NULL,
    side        TEXT NOT NULL CHECK (side IN ('document', 'relational')),
    at          TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (entity_type, side)
);

CREATE INDEX users_updated ON users (updated_at, id);           -- what changed since a watermark
CREATE INDEX launches_updated ON launches (updated_at, id);
CREATE INDEX bookings_updated ON bookings (updated_at, id);
