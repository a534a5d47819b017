-- Many questions handed over at once. Each is decided and logged when its answer is collected.

CREATE TABLE screening (
    id                 BYTEA  PRIMARY KEY,    -- UUID, time ordered
    programme          TEXT   NOT NULL REFERENCES programme (code),
    agency             TEXT   NOT NULL,
    client             TEXT   NOT NULL,
    idempotency_tag    BYTEA  NOT NULL,       -- keyed tag of the caller's Idempotency-Key
    digest             BYTEA,                 -- keyed, of the whole file, once received
    head               BYTEA  NOT NULL,       -- what all questions share, as sent: nothing in it is about a person
    row_count          BIGINT NOT NULL,
    state              TEXT   NOT NULL,       -- receiving, open
    received_at        BIGINT NOT NULL,
    expires_at         BIGINT NOT NULL        -- when it is forgotten, collected or not
);
CREATE UNIQUE INDEX screening_once ON screening (client, idempotency_tag);
CREATE INDEX screening_by_expiry ON screening (expires_at);

CREATE TABLE screening_row (
    screening          BYTEA  NOT NULL,
    row_number         BIGINT NOT NULL,        -- in the caller's order, from 1
    question           BYTEA  NOT NULL,       -- sealed; emptied once it is decided
    outcome            TEXT   NOT NULL,       -- waiting, answered, ceiling, refused
    event              BYTEA,                 -- its log entry, once decided
    PRIMARY KEY (screening, row_number)
);
