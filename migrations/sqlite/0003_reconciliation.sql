-- What both databases last agreed on, one row for each entity that they both know.
CREATE TABLE recon_links (
    entity_type TEXT NOT NULL CHECK (entity_type IN ('launch', 'booking', 'user')),
    entity_id   BLOB NOT NULL CHECK (length(entity_id) = 16),  -- the relational id
    document_id TEXT NOT NULL,                                  -- 24 hexadecimal digits
    base        TEXT NOT NULL CHECK (json_valid(base)),         -- the values that both were seen to hold
    deleted     INTEGER NOT NULL CHECK (deleted IN (0, 1)) DEFAULT 0,  -- it is gone on both sides
    agreed_at   TEXT NOT NULL,                                  -- first
    updated_at  TEXT NOT NULL,
    PRIMARY KEY (entity_type, entity_id),
    UNIQUE (entity_type, document_id)
) STRICT, WITHOUT ROWID;

-- Somebody said that an entity changed.
CREATE TABLE recon_events (
    id          BLOB NOT NULL CHECK (length(id) = 16) PRIMARY KEY,   -- UUIDv7
    entity_type TEXT NOT NULL,
    entity_id   BLOB NOT NULL,
    action      TEXT NOT NULL CHECK (action IN ('create', 'update', 'delete')),
    job_id      BLOB NOT NULL,                                  -- that looks at it; may be pruned earlier
    created_by  TEXT NOT NULL,
    created_at  TEXT NOT NULL
) STRICT;

-- What was changed. Rows are only ever added. The values stand apart from the rest of the row: they are emptied when a
-- person is erased, and nothing else of the row depends on them.
CREATE TABLE recon_changes (
    id          BLOB NOT NULL CHECK (length(id) = 16) PRIMARY KEY,   -- UUIDv7: sorts by time
    at          TEXT NOT NULL,
    entity_type TEXT NOT NULL,
    entity_id   BLOB NOT NULL,
    job_id      BLOB NOT NULL,
    actor       TEXT NOT NULL,                                  -- who asked for the job
    text        TEXT NOT NULL,                                  -- names of fields, no values
    changes     TEXT CHECK (changes IS NULL OR json_valid(changes))
) STRICT;
CREATE INDEX recon_changes_entity ON recon_changes (entity_type, entity_id, id);   -- the history of one thing

-- What waits for a person; one open row for each entity.
CREATE TABLE recon_conflicts (
    id          BLOB NOT NULL CHECK (length(id) = 16) PRIMARY KEY,   -- UUIDv7
    entity_type TEXT NOT NULL,
    entity_id   BLOB NOT NULL,
    job_id      BLOB NOT NULL,                                  -- that saw it last
    text        TEXT NOT NULL,
    severity    TEXT NOT NULL CHECK (severity IN ('warning', 'critical')),
    fields      TEXT NOT NULL CHECK (json_valid(fields)),
    first_seen  TEXT NOT NULL,
    last_seen   TEXT NOT NULL,
    closed_at   TEXT
) STRICT;
CREATE UNIQUE INDEX recon_conflicts_open ON recon_conflicts (entity_type, entity_id) WHERE closed_at IS NULL;
