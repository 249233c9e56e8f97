-- What both databases last agreed on, one row for each entity that they both know.
CREATE TABLE recon_links (
    entity_type TEXT NOT NULL CHECK (entity_type IN ('launch', 'booking', 'user')),
    entity_id   UUID NOT NULL,  -- the relational id
    document_id TEXT NOT NULL,                                  -- 24 hexadecimal digits
    base        JSONB NOT NULL,         -- the values that both were seen to hold
    deleted     BOOLEAN NOT NULL DEFAULT FALSE,  -- it is gone on both sides
    agreed_at   TIMESTAMPTZ NOT NULL,                                  -- first
    updated_at  TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (entity_type, entity_id),
    UNIQUE (entity_type, document_id)
);

-- Somebody said that an entity changed.
CREATE TABLE recon_events (
    id          UUID PRIMARY KEY,   -- UUIDv7
    entity_type TEXT NOT NULL,
    entity_id   UUID NOT NULL,
    action      TEXT NOT NULL CHECK (action IN ('create', 'update', 'delete')),
    job_id      UUID NOT NULL,                                  -- that looks at it; may be pruned earlier
    created_by  TEXT NOT NULL,
    created_at  TIMESTAMPTZ NOT NULL
);

-- What was changed. Rows are only ever added. The values stand apart from the rest of the row: they are emptied when a
-- person is erased, and nothing else of the row depends on them.
CREATE TABLE recon_changes (
    id          UUID PRIMARY KEY,   -- UUIDv7: sorts by time
    at          TIMESTAMPTZ NOT NULL,
    entity_type TEXT NOT NULL,
    entity_id   UUID NOT NULL,
    job_id      UUID NOT NULL,
    actor       TEXT NOT NULL,                                  -- who asked for the job
    text        TEXT NOT NULL,                                  -- names of fields, no values
    changes     JSONB
);
CREATE INDEX recon_changes_entity ON recon_changes (entity_type, entity_id, id);   -- the history of one thing

-- What waits for a person; one open row for each entity.
CREATE TABLE recon_conflicts (
    id          UUID PRIMARY KEY,   -- UUIDv7
    entity_type TEXT NOT NULL,
    entity_id   UUID NOT NULL,
    job_id      UUID NOT NULL,                                  -- that saw it last
    text        TEXT NOT NULL,
    severity    TEXT NOT NULL CHECK (severity IN ('warning', 'critical')),
    fields      JSONB NOT NULL,
    first_seen  TIMESTAMPTZ NOT NULL,
    last_seen   TIMESTAMPTZ NOT NULL,
    closed_at   TIMESTAMPTZ
);
CREATE UNIQUE INDEX recon_conflicts_open ON recon_conflicts (entity_type, entity_id) WHERE closed_at IS NULL;
