-- How far a reader that tells nobody twice has come in a followed table; it is moved in the transaction of what it does.
CREATE TABLE cursors (
    name TEXT NOT NULL PRIMARY KEY,    -- of the reader
    tx   INTEGER NOT NULL,             -- everything at or before (tx, seq) is done
    seq  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
