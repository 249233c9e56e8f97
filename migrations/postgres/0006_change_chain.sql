-- The change log becomes a chain: each row carries a hash over the row before it, its own columns and a salted digest of
-- its values. The values stand in a table of their own, so that those of an erased person can go and the chain stays.
-- Rows that are here already join the chain, in their order, with the first row that is added.
ALTER TABLE recon_changes ADD COLUMN seq BIGINT;                        -- 1, 2, 3, ..; null: not in the chain yet
ALTER TABLE recon_changes ADD COLUMN digest BYTEA;                      -- SHA-256 of salt and body of the values
ALTER TABLE recon_changes ADD COLUMN hash BYTEA;                        -- of this row; covers the hash before it
CREATE UNIQUE INDEX recon_changes_seq ON recon_changes (seq);           -- checking the chain
CREATE INDEX recon_changes_job ON recon_changes (job_id, entity_id);    -- whether a job has done its work

CREATE TABLE recon_change_values (
    change_id UUID PRIMARY KEY,
    salt      BYTEA NOT NULL,
    body      TEXT NOT NULL                                            -- {changes, reason}, byte for byte as digested
);
INSERT INTO recon_change_values (change_id, salt, body)
SELECT id, sha256(convert_to(gen_random_uuid()::text, 'UTF8')), jsonb_build_object('changes', changes)::text
  FROM recon_changes WHERE changes IS NOT NULL;
ALTER TABLE recon_changes DROP COLUMN changes;

-- The end of the chain: whoever adds rows holds this one.
CREATE TABLE recon_chain (
    id   BIGINT PRIMARY KEY CHECK (id = 1),
    seq  BIGINT NOT NULL,
    hash BYTEA NOT NULL
);
INSERT INTO recon_chain (id, seq, hash) VALUES (1, 0, decode(repeat('00', 32), 'hex'));

-- A conflict that nobody is to be shown before this time, unless it is critical.
ALTER TABLE recon_conflicts ADD COLUMN snoozed_until TIMESTAMPTZ;
ALTER TABLE recon_conflicts ADD COLUMN snooze_reason TEXT;
