-- Sessions are refreshed: the row is the family, its generation counts the refresh tokens that were given out.
ALTER TABLE sessions ADD COLUMN device_id    TEXT;
ALTER TABLE sessions ADD COLUMN generation   BIGINT NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN refresh_hash TEXT;                    -- SHA-256 of the newest refresh token
ALTER TABLE sessions ADD COLUMN rotated_at   TIMESTAMPTZ;
ALTER TABLE sessions ADD COLUMN updated_at   TIMESTAMPTZ;
CREATE UNIQUE INDEX sessions_refresh ON sessions (refresh_hash) WHERE refresh_hash IS NOT NULL;
DROP INDEX sessions_user;
CREATE INDEX sessions_user_revoked ON sessions (user_id, revoked_at); -- a person's living sessions
CREATE INDEX sessions_expiry ON sessions (expires_at);                -- expire-sessions
CREATE INDEX users_email_active ON users (email, is_active);          -- sign-in
CREATE INDEX users_created ON users (created_at, id);                 -- the list
CREATE INDEX users_locked ON users (locked_until) WHERE locked_until IS NOT NULL;

-- Wrong passwords per address, known or not, so that both cost the same. The key is a hash: the table is no list of
-- whom somebody tried.
CREATE TABLE login_failures (
    account      TEXT NOT NULL PRIMARY KEY,                    -- SHA-256 of the address in lower case
    failures     BIGINT NOT NULL,                              -- in the window
    lockouts     BIGINT NOT NULL,                              -- in a row: each is twice as long
    window_from  TIMESTAMPTZ NOT NULL,
    locked_until TIMESTAMPTZ,
    updated_at   TIMESTAMPTZ NOT NULL
);
CREATE INDEX login_failures_updated ON login_failures (updated_at);   -- expire-locks

-- Other programs that call the API. The secret is shown once; only its hash is kept.
CREATE TABLE service_keys (
    id           UUID PRIMARY KEY,
    name         TEXT NOT NULL,
    hash         TEXT NOT NULL UNIQUE,                         -- SHA-256 of 256 random bits
    scopes       JSONB NOT NULL,
    created_by   UUID NOT NULL,
    created_at   TIMESTAMPTZ NOT NULL,
    last_used_at TIMESTAMPTZ,
    revoked_at   TIMESTAMPTZ
);
CREATE UNIQUE INDEX service_keys_name ON service_keys (name) WHERE revoked_at IS NULL;

CREATE INDEX audit_target ON audit_log (target, id);                  -- the history of one thing

CREATE TABLE launches (
    id                  UUID PRIMARY KEY,                      -- UUIDv8 with an ObjectId
    host_id             UUID NOT NULL REFERENCES users (id),
    title               TEXT NOT NULL,
    description         TEXT,
    venue               TEXT,
    category            TEXT,
    starts_at           TIMESTAMPTZ NOT NULL,
    ends_at             TIMESTAMPTZ NOT NULL,
    capacity            BIGINT NOT NULL CHECK (capacity > 0),
    number_of_attendees BIGINT NOT NULL DEFAULT 0,             -- seats of active bookings
    price               BIGINT NOT NULL CHECK (price >= 0),    -- minor units
    sales_start_at      TIMESTAMPTZ,                           -- null: on sale at once
    status              TEXT NOT NULL CHECK (status IN ('scheduled', 'cancelled', 'completed')),
    is_active           BOOLEAN NOT NULL DEFAULT TRUE,
    version             BIGINT NOT NULL DEFAULT 1,             -- one more at every change
    created_at          TIMESTAMPTZ NOT NULL,
    updated_at          TIMESTAMPTZ NOT NULL,
    CHECK (number_of_attendees BETWEEN 0 AND capacity),
    CHECK (ends_at >= starts_at)
);
CREATE INDEX launches_active_category ON launches (is_active, category, starts_at);   -- the public list
CREATE INDEX launches_starts ON launches (starts_at, id);                             -- the list by date
CREATE INDEX launches_host ON launches (host_id);                                     -- a supplier's launches
CREATE INDEX launches_ends ON launches (ends_at) WHERE status = 'scheduled';          -- complete-launches

CREATE TABLE bookings (
    id                     UUID PRIMARY KEY,                   -- UUIDv8 with an ObjectId
    launch_id              UUID NOT NULL REFERENCES launches (id),
    user_id                UUID NOT NULL REFERENCES users (id),
    ticket_quantity        BIGINT NOT NULL CHECK (ticket_quantity >= 1),
    total_amount           BIGINT NOT NULL CHECK (total_amount >= 0),  -- minor units
    status                 TEXT NOT NULL CHECK (status IN ('confirmed', 'cancelled', 'pending')),
    booking_date           TIMESTAMPTZ NOT NULL,
    payment_status         TEXT NOT NULL CHECK (payment_status IN ('paid', 'pending', 'failed', 'refunded')),
    payment_method         TEXT CHECK (payment_method IN ('credit_card', 'debit_card', 'paypal', 'stripe', 'cash')),
    payment_transaction_id TEXT,
    cancellation_reason    TEXT,
    cancelled_at           TIMESTAMPTZ,
    reminded_for           TIMESTAMPTZ,                        -- the start that the customer was reminded of
    version                BIGINT NOT NULL DEFAULT 1,
    created_at             TIMESTAMPTZ NOT NULL,
    updated_at             TIMESTAMPTZ NOT NULL
);
CREATE INDEX bookings_launch_status ON bookings (launch_id, status);
CREATE INDEX bookings_user_status ON bookings (user_id, status);
CREATE INDEX bookings_date ON bookings (booking_date DESC, id);
CREATE INDEX bookings_status_payment ON bookings (status, payment_status);
CREATE UNIQUE INDEX bookings_active ON bookings (user_id, launch_id) WHERE status IN ('confirmed', 'pending');

CREATE TABLE capacity_log (
    id         UUID PRIMARY KEY,                               -- UUIDv7
    launch_id  UUID NOT NULL,
    operation  TEXT NOT NULL CHECK (operation IN ('reserve', 'release')),
    quantity   BIGINT NOT NULL CHECK (quantity >= 1),
    booking_id UUID,
    at         TIMESTAMPTZ NOT NULL
);
CREATE INDEX capacity_log_launch ON capacity_log (launch_id, at DESC);

-- A customer who is told of every new launch of a supplier.
CREATE TABLE follows (
    customer_id UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    supplier_id UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at  TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (supplier_id, customer_id)
);
CREATE INDEX follows_customer ON follows (customer_id);

-- A customer who is told, once, when the sale of a launch starts.
CREATE TABLE interests (
    launch_id  UUID NOT NULL REFERENCES launches (id) ON DELETE CASCADE,
    user_id    UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at TIMESTAMPTZ NOT NULL,
    told_at    TIMESTAMPTZ,
    PRIMARY KEY (launch_id, user_id)
);
CREATE INDEX interests_untold ON interests (launch_id) WHERE told_at IS NULL;         -- open-sales

-- One attempt to pay a booking.
CREATE TABLE payments (
    id          UUID PRIMARY KEY,                              -- UUIDv7
    booking_id  UUID NOT NULL REFERENCES bookings (id),
    provider    TEXT NOT NULL CHECK (provider IN ('sandbox', 'stripe')),
    intent      TEXT,                                          -- the provider's id; null until it has answered
    amount      BIGINT NOT NULL CHECK (amount >= 0),           -- minor units
    currency    TEXT NOT NULL,
    status      TEXT NOT NULL CHECK (status IN ('pending', 'requires_action', 'paid', 'failed', 'refunding', 'refunded')),
    method      TEXT,                                          -- the test card's or payment method's public name
    error_code  TEXT,
    error_text  TEXT,
    action_url  TEXT,                                          -- where the customer confirms (3-D Secure)
    refund      TEXT,                                          -- the provider's id of the refund
    created_at  TIMESTAMPTZ NOT NULL,
    updated_at  TIMESTAMPTZ NOT NULL
);
CREATE INDEX payments_booking ON payments (booking_id, id);
CREATE UNIQUE INDEX payments_intent ON payments (provider, intent) WHERE intent IS NOT NULL;
-- A booking is paid by one payment at a time. What goes back (refunding) may stand beside one that stays: a payment that
-- was given up and succeeded all the same.
CREATE UNIQUE INDEX payments_open ON payments (booking_id) WHERE status IN ('pending', 'requires_action', 'paid');
CREATE INDEX payments_waiting ON payments (id) WHERE status IN ('pending', 'requires_action');   -- check-payments

-- Webhooks that were seen: a second delivery does nothing.
CREATE TABLE payment_events (
    provider TEXT NOT NULL,
    event_id TEXT NOT NULL,
    kind     TEXT NOT NULL,
    at       TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (provider, event_id)
);
CREATE INDEX payment_events_at ON payment_events (at);                -- check-payments prunes

-- What happened to users, launches and bookings, in the transaction of the change. (tx, seq) is the cursor of the
-- stream, as with the system logs.
CREATE TABLE outbox (
    id          UUID PRIMARY KEY,                              -- UUIDv7
    seq         BIGINT GENERATED ALWAYS AS IDENTITY,
    tx          BIGINT NOT NULL DEFAULT (pg_current_xact_id()::TEXT::BIGINT),
    at          TIMESTAMPTZ NOT NULL,
    kind        TEXT NOT NULL,                                 -- launch.created, booking.cancelled, ...
    entity_type TEXT NOT NULL CHECK (entity_type IN ('launch', 'booking', 'user')),
    entity_id   UUID NOT NULL,
    is_public   BOOLEAN NOT NULL,                              -- every signed-in user may know
    customer_id UUID,                                          -- else this customer
    supplier_id UUID,                                          -- and this supplier
    data        JSONB NOT NULL
);
CREATE INDEX outbox_tx ON outbox (tx, seq);
CREATE INDEX outbox_entity ON outbox (entity_id, id);                 -- the history of one thing
