-- Of all values that were agreed on, keyed; null when some were not. A sweep asks by it whether a base is up to date.
ALTER TABLE recon_links ADD COLUMN digest BLOB;
-- One more at every change: who has seen another one does not write it.
ALTER TABLE recon_links ADD COLUMN version INTEGER NOT NULL DEFAULT 1;

-- What is being written to one entity: made with the write on our side, gone when the change log has it. After a crash
-- the next who looks at the entity finishes it.
CREATE TABLE recon_intents (
    entity_type TEXT NOT NULL,
    entity_id   BLOB NOT NULL CHECK (length(entity_id) = 16),
    id          BLOB NOT NULL CHECK (length(id) = 16),
    job_id      BLOB NOT NULL,
    plan        TEXT NOT NULL CHECK (json_valid(plan)),
    created_at  TEXT NOT NULL,
    PRIMARY KEY (entity_type, entity_id)
) STRICT, WITHOUT ROWID;

-- What is known to differ now.
CREATE TABLE recon_drift (
    entity_type   TEXT NOT NULL,
    entity_id     BLOB NOT NULL CHECK (length(entity_id) = 16),
    kind          TEXT NOT NULL CHECK (kind IN ('differs', 'missing_document', 'missing_relational', 'conflict')),
    text          TEXT NOT NULL,
    first_seen    TEXT NOT NULL,
    last_seen     TEXT NOT NULL,
    missing_since TEXT,                                         -- on one side, although both had agreed on it
    sweep_id      BLOB,                                         -- that has still to look at it
    PRIMARY KEY (entity_type, entity_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX recon_drift_age ON recon_drift (first_seen, entity_id);
CREATE INDEX recon_drift_sweep ON recon_drift (sweep_id, entity_type, entity_id) WHERE sweep_id IS NOT NULL;

CREATE TABLE recon_sweeps (
    id          BLOB NOT NULL CHECK (length(id) = 16) PRIMARY KEY,   -- UUIDv7
    mode        TEXT NOT NULL CHECK (mode IN ('full', 'incremental')),
    entity_type TEXT,                                           -- null: all of them
    dry_run     INTEGER NOT NULL CHECK (dry_run IN (0, 1)),
    status      TEXT NOT NULL CHECK (status IN ('running', 'paused', 'needs_approval', 'completed', 'cancelled', 'failed')),
    stage       TEXT NOT NULL CHECK (stage IN ('compare', 'recheck', 'apply', 'done')),
    text        TEXT NOT NULL,
    state       TEXT NOT NULL CHECK (json_valid(state)),        -- counts, cursor, digests: what a resumed sweep needs
    job_id      BLOB NOT NULL,
    created_by  TEXT NOT NULL,
    created_at  TEXT NOT NULL,
    updated_at  TEXT NOT NULL,
    ended_at    TEXT
) STRICT;
-- One of each mode at a time.
CREATE UNIQUE INDEX recon_sweeps_open ON recon_sweeps (mode) WHERE status IN ('running', 'paused', 'needs_approval');

-- Until when the changes of a side were compared.
CREATE TABLE recon_watermarks (
    entity_type TEXT NOT NULL,
    side        TEXT NOT NULL CHECK (side IN ('document', 'relational')),
    at          TEXT NOT NULL,
    PRIMARY KEY (entity_type, side)
) STRICT, WITHOUT ROWID;

CREATE INDEX users_updated ON users (updated_at, id);           -- what changed since a watermark
CREATE INDEX launches_updated ON launches (updated_at, id);
CREATE INDEX bookings_updated ON bookings (updated_at, id);
