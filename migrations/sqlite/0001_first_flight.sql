-- People who can sign in, and the customers and suppliers that both databases know.
CREATE TABLE users (
    id                    BLOB NOT NULL CHECK (length(id) = 16) PRIMARY KEY,
    email                 TEXT NOT NULL UNIQUE,                 -- lower case
    name                  TEXT,
    role                  TEXT NOT NULL CHECK (role IN ('customer', 'supplier', 'employee')),
    "right"               TEXT CHECK ("right" IN ('viewer', 'operator')),
    password_hash         TEXT,                                 -- argon2id PHC; null: cannot sign in
    is_active             INTEGER NOT NULL CHECK (is_active IN (0, 1)) DEFAULT 1,
    last_login_at         TEXT,
    failed_login_attempts INTEGER NOT NULL DEFAULT 0,
    locked_until          TEXT,
    created_at            TEXT NOT NULL,
    updated_at            TEXT NOT NULL,
    CHECK (role = 'employee' OR "right" IS NULL)
) STRICT;

CREATE TABLE sessions (
    id           BLOB NOT NULL CHECK (length(id) = 16) PRIMARY KEY,
    user_id      BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    user_agent   TEXT,
    ip_address   TEXT,
    expires_at   TEXT NOT NULL,
    revoked_at   TEXT,
    last_used_at TEXT NOT NULL,
    created_at   TEXT NOT NULL
) STRICT;
CREATE INDEX sessions_user ON sessions (user_id);                -- ends a person's sessions

-- The first answer to a creating request, given again when the request is repeated.
CREATE TABLE idempotency_keys (
    principal  TEXT NOT NULL,
    request    TEXT NOT NULL,                                   -- method and path
    key        TEXT NOT NULL,
    body_hash  TEXT NOT NULL,
    status     INTEGER NOT NULL,
    answer     TEXT NOT NULL,
    created_at TEXT NOT NULL,
    PRIMARY KEY (principal, request, key)
) STRICT;

-- Append-only: who changed what, in the transaction of the change.
CREATE TABLE audit_log (
    id         BLOB NOT NULL CHECK (length(id) = 16) PRIMARY KEY,                               -- UUIDv7: sorts by time
    at         TEXT NOT NULL,
    actor      TEXT NOT NULL,
    action     TEXT NOT NULL,
    target     TEXT NOT NULL,
    reason     TEXT,
    details    TEXT NOT NULL CHECK (json_valid(details)),
    request_id TEXT NOT NULL,
    ip_address TEXT
) STRICT;

-- Daemons that share this database. The lease is the node's, not the job's.
CREATE TABLE nodes (
    id          BLOB NOT NULL CHECK (length(id) = 16) PRIMARY KEY,                              -- the incarnation: another one after each start
    name        TEXT NOT NULL,
    version     TEXT NOT NULL,
    started_at  TEXT NOT NULL,
    lease_until TEXT NOT NULL
) STRICT;

CREATE TABLE jobs (
    id               BLOB NOT NULL CHECK (length(id) = 16) PRIMARY KEY,                         -- UUIDv7: sorts by creation, serves paging and retention
    type             TEXT NOT NULL CHECK (type IN ('NOTIFICATION', 'RECONCILIATION', 'MAINTENANCE')),
    status           TEXT NOT NULL CHECK (status IN ('queued', 'processing', 'completed', 'failed', 'cancelled')),
    phase            TEXT NOT NULL CHECK (phase IN ('scheduled', 'waiting', 'retrying', 'running', 'cancelling', 'done', 'dead', 'cancelled')),
    priority         INTEGER NOT NULL DEFAULT 0,
    payload          TEXT NOT NULL CHECK (json_valid(payload)),
    run_at           TEXT NOT NULL,
    attempt          INTEGER NOT NULL DEFAULT 0,
    max_attempts     INTEGER NOT NULL,
    attempts_granted INTEGER NOT NULL,                                      -- what each retry by an operator adds
    fence            INTEGER NOT NULL DEFAULT 0,                            -- one more at every claim: the fencing token
    crashes          INTEGER NOT NULL DEFAULT 0,
    suspect          INTEGER NOT NULL CHECK (suspect IN (0, 1)) DEFAULT 0,             -- was in the hands of a node that died: mark its start durably
    lease_owner      BLOB,
    unique_key       TEXT,
    created_by       TEXT NOT NULL,
    schedule         TEXT,
    delivery         TEXT CHECK (delivery IN ('sent', 'not_sent', 'unknown')),
    error_message    TEXT,
    result           TEXT,
    percent          INTEGER,
    progress_message TEXT,
    started_at       TEXT,
    completed_at     TEXT,
    created_at       TEXT NOT NULL,
    updated_at       TEXT NOT NULL
) STRICT;
CREATE INDEX jobs_ready ON jobs (priority, run_at, id) WHERE status = 'queued';                                -- claim
CREATE INDEX jobs_exceptions ON jobs (status, id) WHERE status IN ('processing', 'failed', 'cancelled');       -- reaper, console
CREATE UNIQUE INDEX jobs_unique ON jobs (unique_key) WHERE unique_key IS NOT NULL AND status IN ('queued', 'processing');

-- One row at the end of an attempt. No foreign key: it would cost a lookup for each.
CREATE TABLE job_attempts (
    job_id      BLOB NOT NULL,
    number      INTEGER NOT NULL,
    node        BLOB NOT NULL,
    started_at  TEXT NOT NULL,
    finished_at TEXT NOT NULL,
    outcome     TEXT NOT NULL CHECK (outcome IN ('ok', 'retry', 'failed', 'cancelled', 'crashed')),
    error       TEXT,
    PRIMARY KEY (job_id, number)
) STRICT, WITHOUT ROWID;

-- A job type that is not claimed while it stands here.
CREATE TABLE job_pauses (
    type      TEXT NOT NULL PRIMARY KEY,
    paused_at TEXT NOT NULL,
    paused_by TEXT NOT NULL
) STRICT;

-- What happened, for operators. (tx, seq) is the cursor of the stream. Here one writer commits in the order of seq, so
-- tx is always 0; on PostgreSQL a later number may commit first, and tx tells how far a reader may trust.
CREATE TABLE system_logs (
    seq             INTEGER PRIMARY KEY AUTOINCREMENT,
    tx              INTEGER NOT NULL DEFAULT 0,
    id              BLOB NOT NULL UNIQUE CHECK (length(id) = 16),  -- UUIDv7: serves paging, time ranges, retention
    at              TEXT NOT NULL,
    event_type      TEXT NOT NULL CHECK (event_type IN ('AUTH', 'ERROR', 'RECONCILE', 'NOTIFY', 'JOB', 'BOOKING', 'SYSTEM')),
    severity        TEXT NOT NULL CHECK (severity IN ('info', 'warning', 'error', 'critical')),
    message         TEXT NOT NULL,
    user_id         BLOB,
    ip_address      TEXT,
    job_id          BLOB,
    additional_data TEXT CHECK (additional_data IS NULL OR json_valid(additional_data)),
    recorded_by     TEXT NOT NULL
) STRICT;
CREATE INDEX system_logs_job ON system_logs (job_id, seq) WHERE job_id IS NOT NULL;                             -- a job's log
CREATE INDEX system_logs_bad ON system_logs (severity, seq) WHERE severity <> 'info';                           -- error tail

CREATE TABLE schedules (
    name         TEXT NOT NULL PRIMARY KEY,
    description  TEXT NOT NULL,
    cron         TEXT NOT NULL,
    time_zone    TEXT NOT NULL,
    job_type     TEXT NOT NULL,
    payload      TEXT NOT NULL CHECK (json_valid(payload)),
    missed       TEXT NOT NULL CHECK (missed IN ('coalesce', 'all', 'skip')),
    overlap      TEXT NOT NULL CHECK (overlap IN ('skip', 'queue')),
    paused       INTEGER NOT NULL CHECK (paused IN (0, 1)) DEFAULT 0,
    next_fire_at TEXT,                                        -- null while paused
    created_at   TEXT NOT NULL,
    updated_at   TEXT NOT NULL
) STRICT;

-- Each (schedule, time) fires once over all nodes: the primary key is the promise.
CREATE TABLE schedule_fires (
    schedule      TEXT NOT NULL,
    scheduled_for TEXT NOT NULL,
    fired_at      TEXT NOT NULL,
    outcome       TEXT NOT NULL CHECK (outcome IN ('fired', 'triggered', 'caught-up', 'missed', 'overlapped')),
    job_id        BLOB,
    PRIMARY KEY (schedule, scheduled_for)
) STRICT;
