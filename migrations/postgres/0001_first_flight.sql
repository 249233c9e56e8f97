-- People who can sign in, and the customers and suppliers that both databases know.
CREATE TABLE users (
    id                    UUID PRIMARY KEY,
    email                 TEXT NOT NULL UNIQUE,                 -- lower case
    name                  TEXT,
    role                  TEXT NOT NULL CHECK (role IN ('customer', 'supplier', 'employee')),
    "right"               TEXT CHECK ("right" IN ('viewer', 'operator')),
    password_hash         TEXT,                                 -- argon2id PHC; null: cannot sign in
    is_active             BOOLEAN NOT NULL DEFAULT TRUE,
    last_login_at         TIMESTAMPTZ,
    failed_login_attempts BIGINT NOT NULL DEFAULT 0,
    locked_until          TIMESTAMPTZ,
    created_at            TIMESTAMPTZ NOT NULL,
    updated_at            TIMESTAMPTZ NOT NULL,
    CHECK (role = 'employee' OR "right" IS NULL)
);

CREATE TABLE sessions (
    id           UUID PRIMARY KEY,
    user_id      UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    user_agent   TEXT,
    ip_address   TEXT,
    expires_at   TIMESTAMPTZ NOT NULL,
    revoked_at   TIMESTAMPTZ,
    last_used_at TIMESTAMPTZ NOT NULL,
    created_at   TIMESTAMPTZ NOT NULL
);
CREATE INDEX sessions_user ON sessions (user_id);                -- ends a person's sessions

-- The first answer to a creating request, given again when the request is repeated.
CREATE TABLE idempotency_keys (
    principal  TEXT NOT NULL,
    request    TEXT NOT NULL,                                   -- method and path
    key        TEXT NOT NULL,
    body_hash  TEXT NOT NULL,
    status     BIGINT NOT NULL,
    answer     TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (principal, request, key)
);

-- Append-only: who changed what, in the transaction of the change.
CREATE TABLE audit_log (
    id         UUID PRIMARY KEY,                               -- UUIDv7: sorts by time
    at         TIMESTAMPTZ NOT NULL,
    actor      TEXT NOT NULL,
    action     TEXT NOT NULL,
    target     TEXT NOT NULL,
    reason     TEXT,
    details    JSONB NOT NULL,
    request_id TEXT NOT NULL,
    ip_address TEXT
);

-- Daemons that share this database. The lease is the node's, not the job's.
CREATE TABLE nodes (
    id          UUID PRIMARY KEY,                              -- the incarnation: another one after each start
    name        TEXT NOT NULL,
    version     TEXT NOT NULL,
    started_at  TIMESTAMPTZ NOT NULL,
    lease_until TIMESTAMPTZ NOT NULL
);

CREATE TABLE jobs (
    id               UUID PRIMARY KEY,                         -- UUIDv7: sorts by creation, serves paging and retention
    type             TEXT NOT NULL CHECK (type IN ('NOTIFICATION', 'RECONCILIATION', 'MAINTENANCE')),
    status           TEXT NOT NULL CHECK (status IN ('queued', 'processing', 'completed', 'failed', 'cancelled')),
    phase            TEXT NOT NULL CHECK (phase IN ('scheduled', 'waiting', 'retrying', 'running', 'cancelling', 'done', 'dead', 'cancelled')),
    priority         BIGINT NOT NULL DEFAULT 0,
    payload          JSONB NOT NULL,
    run_at           TIMESTAMPTZ NOT NULL,
    attempt          BIGINT NOT NULL DEFAULT 0,
    max_attempts     BIGINT NOT NULL,
    attempts_granted BIGINT NOT NULL,                                      -- what each retry by an operator adds
    fence            BIGINT NOT NULL DEFAULT 0,                            -- one more at every claim: the fencing token
    crashes          BIGINT NOT NULL DEFAULT 0,
    suspect          BOOLEAN NOT NULL DEFAULT FALSE,             -- was in the hands of a node that died: mark its start durably
    lease_owner      UUID,
    unique_key       TEXT,
    created_by       TEXT NOT NULL,
    schedule         TEXT,
    delivery         TEXT CHECK (delivery IN ('sent', 'not_sent', 'unknown')),
    error_message    TEXT,
    result           TEXT,
    percent          BIGINT,
    progress_message TEXT,
    started_at       TIMESTAMPTZ,
    completed_at     TIMESTAMPTZ,
    created_at       TIMESTAMPTZ NOT NULL,
    updated_at       TIMESTAMPTZ NOT NULL
) WITH (fillfactor = 50);
CREATE INDEX jobs_ready ON jobs (priority, run_at, id) WHERE status = 'queued';                                -- claim
CREATE INDEX jobs_exceptions ON jobs (status, id) WHERE status IN ('processing', 'failed', 'cancelled');       -- reaper, console
CREATE UNIQUE INDEX jobs_unique ON jobs (unique_key) WHERE unique_key IS NOT NULL AND status IN ('queued', 'processing');

-- One row at the end of an attempt. No foreign key: it would cost a lookup for each.
CREATE TABLE job_attempts (
    job_id      UUID NOT NULL,
    number      BIGINT NOT NULL,
    node        UUID NOT NULL,
    started_at  TIMESTAMPTZ NOT NULL,
    finished_at TIMESTAMPTZ NOT NULL,
    outcome     TEXT NOT NULL CHECK (outcome IN ('ok', 'retry', 'failed', 'cancelled', 'crashed')),
    error       TEXT,
    PRIMARY KEY (job_id, number)
);

-- A job type that is not claimed while it stands here.
CREATE TABLE job_pauses (
    type      TEXT NOT NULL PRIMARY KEY,
    paused_at TIMESTAMPTZ NOT NULL,
    paused_by TEXT NOT NULL
);

-- What happened, for operators. (tx, seq) is the cursor of the stream: a later seq may commit first, so readers take
-- only rows of transactions before the oldest one still running.
CREATE TABLE system_logs (
    id              UUID PRIMARY KEY,                              -- UUIDv7: serves paging, time ranges, retention
    seq             BIGINT GENERATED ALWAYS AS IDENTITY,
    tx              BIGINT NOT NULL DEFAULT (pg_current_xact_id()::TEXT::BIGINT),
    at              TIMESTAMPTZ NOT NULL,
    event_type      TEXT NOT NULL CHECK (event_type IN ('AUTH', 'ERROR', 'RECONCILE', 'NOTIFY', 'JOB', 'BOOKING', 'SYSTEM')),
    severity        TEXT NOT NULL CHECK (severity IN ('info', 'warning', 'error', 'critical')),
    message         TEXT NOT NULL,
    user_id         UUID,
    ip_address      TEXT,
    job_id          UUID,
    additional_data JSONB,
    recorded_by     TEXT NOT NULL
);
-- A block range index: the stream reads the newest pages only, and a write pays next to nothing for it.
CREATE INDEX system_logs_tx ON system_logs USING brin (tx) WITH (pages_per_range = 16, autosummarize = on);
CREATE INDEX system_logs_job ON system_logs (job_id, seq) WHERE job_id IS NOT NULL;                             -- a job's log
CREATE INDEX system_logs_bad ON system_logs (severity, seq) WHERE severity <> 'info';                           -- error tail

CREATE TABLE schedules (
    name         TEXT NOT NULL PRIMARY KEY,
    description  TEXT NOT NULL,
    cron         TEXT NOT NULL,
    time_zone    TEXT NOT NULL,
    job_type     TEXT NOT NULL,
    payload      JSONB NOT NULL,
    missed       TEXT NOT NULL CHECK (missed IN ('coalesce', 'all', 'skip')),
    overlap      TEXT NOT NULL CHECK (overlap IN ('skip', 'queue')),
    paused       BOOLEAN NOT NULL DEFAULT FALSE,
    next_fire_at TIMESTAMPTZ,                                        -- null while paused
    created_at   TIMESTAMPTZ NOT NULL,
    updated_at   TIMESTAMPTZ NOT NULL
);

-- Each (schedule, time) fires once over all nodes: the primary key is the promise.
CREATE TABLE schedule_fires (
    schedule      TEXT NOT NULL,
    scheduled_for TIMESTAMPTZ NOT NULL,
    fired_at      TIMESTAMPTZ NOT NULL,
    outcome       TEXT NOT NULL CHECK (outcome IN ('fired', 'triggered', 'caught-up', 'missed', 'overlapped')),
    job_id        UUID,
    PRIMARY KEY (schedule, scheduled_for)
);
