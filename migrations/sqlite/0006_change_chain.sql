-- The change log becomes a chain: each row carries a hash over the row before it, its own columns and a salted digest of
-- its values. The values stand in a table of their own, so that those of an erased person can go and the chain stays.
-- Rows that are here already join the chain, in their order, with the first row that is added.
ALTER TABLE recon_changes ADD COLUMN seq INTEGER;                       -- 1, 2, 3, ..; null: not in the chain yet
ALTER TABLE recon_changes ADD COLUMN digest BLOB;                       -- SHA-256 of salt and body of the values
ALTER TABLE recon_changes ADD COLUMN hash BLOB;                         -- of this row; covers the hash before it
CREATE UNIQUE INDEX recon_changes_seq ON recon_changes (seq);           -- checking the chain
CREATE INDEX recon_changes_job ON recon_changes (job_id, entity_id);    -- whether a job has done its work

CREATE TABLE recon_change_values (
    change_id BLOB NOT NULL CHECK (length(change_id) = 16) PRIMARY KEY,
    salt      BLOB NOT NULL,
    body      TEXT NOT NULL CHECK (json_valid(body))                    -- {changes, reason}, byte for byte as digested
) STRICT;
INSERT INTO recon_change_values (change_id, salt, body)
SELECT id, randomblob(32), json_object('changes', json(changes)) FROM recon_changes WHERE changes IS NOT NULL;
ALTER TABLE recon_changes DROP COLUMN changes;

-- The end of the chain: whoever adds rows holds this one.
CREATE TABLE recon_chain (
    id   INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    seq  INTEGER NOT NULL,
    hash BLOB NOT NULL
) STRICT;
INSERT INTO recon_chain (id, seq, hash) VALUES (1, 0, zeroblob(32));

-- A conflict that nobody is to be shown before this time, unless it is critical.
ALTER TABLE recon_conflicts ADD COLUMN snoozed_until TEXT;
ALTER TABLE recon_conflicts ADD COLUMN snooze_reason TEXT;
