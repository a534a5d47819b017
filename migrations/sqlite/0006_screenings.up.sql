-- Many questions handed over at once. Each is decided and logged when its answer is collected.

CREATE TABLE screening (
    id                 BLOB  PRIMARY KEY,    -- UUID, time ordered
    programme          TEXT   NOT NULL REFERENCES programme (code),
    agency             TEXT   NOT NULL,
    client             TEXT   NOT NULL,
    idempotency_tag    BLOB  NOT NULL,       -- keyed tag of the caller's Idempotency-Key
    digest             BLOB,                 -- keyed, of the whole file, once received
    head               BLOB  NOT NULL,       -- what all questions share, as sent: nothing in it is about a person
    row_count          INTEGER NOT NULL,
    state              TEXT   NOT NULL,       -- receiving, open
    received_at        INTEGER NOT NULL,
    expires_at         INTEGER NOT NULL        -- when it is forgotten, collected or not
);
CREATE UNIQUE INDEX screening_once ON screening (client, idempotency_tag);
CREATE INDEX screening_by_expiry ON screening (expires_at);

CREATE TABLE screening_row (
    screening          BLOB  NOT NULL,
    row_number         INTEGER NOT NULL,        -- in the caller's order, from 1
    question           BLOB  NOT NULL,       -- sealed; emptied once it is decided
    outcome            TEXT   NOT NULL,       -- waiting, answered, ceiling, refused
    event              BLOB,                 -- its log entry, once decided
    PRIMARY KEY (screening, row_number)
);
