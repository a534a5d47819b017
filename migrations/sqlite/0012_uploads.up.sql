-- How far a submission's upload has come, so that one that broke off can go on where it was.

CREATE TABLE upload (
    submission         BLOB   PRIMARY KEY REFERENCES submission (id),
    client             TEXT   NOT NULL,     -- the system that sends it; no other may go on with it
    idempotency_tag    BLOB   NOT NULL,     -- keyed tag of the caller's Idempotency-Key, by which it is found again
    header             BLOB   NOT NULL,     -- the header as sent: nothing in it is about a person
    format             TEXT   NOT NULL,     -- json or csv
    columns            BLOB,                -- of a CSV file, the row of column names, once rows are held
    line               INTEGER NOT NULL,    -- last line of the file that is held; the header is line 1
    digest             BLOB   NOT NULL,     -- running digest over the lines up to there
    attempt            INTEGER NOT NULL,    -- grows when a connection takes over: an earlier one stores nothing more
    held_at            INTEGER              -- when its connection broke off; none while rows arrive
);
CREATE INDEX upload_by_key ON upload (client, idempotency_tag);
