-- Tokens that must never match again: those of the identity that an adopted person left.

CREATE TABLE retired_token (
    id         BLOB  PRIMARY KEY,
    programme  TEXT  NOT NULL REFERENCES programme (code),
    blinded    BLOB  NOT NULL,      -- the token, blinded like those of records
    staged_by  BLOB  NOT NULL,      -- the submission that names it, until that becomes visible; empty from then on
    provenance BLOB  NOT NULL       -- sealed: which agency and feed named it in which submission, and when
);
CREATE INDEX retired_token_staged ON retired_token (programme, staged_by);
