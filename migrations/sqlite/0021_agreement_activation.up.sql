-- Two officers put an agreement in force. A request waits here until the second of them has approved it;
-- what came of it is in the log, and the rows are gone.

CREATE TABLE agreement_request (
    agreement          TEXT   PRIMARY KEY,  -- code and version; one request at a time
    sha256             BLOB   NOT NULL,     -- of the signed text that is to be put in force
    requested_by       TEXT   NOT NULL,     -- an account, never a person's name
    reason             TEXT   NOT NULL,     -- a code
    requested_at       INTEGER NOT NULL
);

CREATE TABLE agreement_approval (
    agreement          TEXT   NOT NULL,     -- that one
    approved_by        TEXT   NOT NULL,     -- an account, in lower case
    approved_at        INTEGER NOT NULL,
    PRIMARY KEY (agreement, approved_by)
);
