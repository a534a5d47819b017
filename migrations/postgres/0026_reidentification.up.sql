-- Requests to learn who somebody is: the keys of officers and of the data team, requests on their way,
-- officers' signed votes. What identifies is never here but as ciphertext that the gateway cannot open.

CREATE TABLE reid_key (
    key_id             TEXT    NOT NULL PRIMARY KEY,  -- follows from the public key
    kind               TEXT    NOT NULL,     -- officer or recipient
    agency             TEXT    NOT NULL,     -- whose
    person             TEXT    NOT NULL,     -- an officer: the agency's own keyed reference of the person; else empty
    sign_key           BYTEA   NOT NULL,     -- 32 bytes of Ed25519: votes, answers, receipts
    seal_key           BYTEA   NOT NULL,     -- a recipient: 32 bytes of X25519; else empty
    enrolled_at        BIGINT  NOT NULL,     -- when two people enrolled it
    revoked_at         BIGINT  NOT NULL      -- when it was revoked, 0 before
);
CREATE INDEX reid_key_by_agency ON reid_key (agency, kind);

CREATE TABLE reid_request (
    id                 BYTEA   NOT NULL PRIMARY KEY,  -- UUID version 7
    entry              BYTEA   NOT NULL,     -- the log entry that it came in with: erased, the request goes too
    programme          TEXT    NOT NULL,     -- the programme
    requester          TEXT    NOT NULL,     -- the agency that asks
    client             TEXT    NOT NULL,     -- through which of its systems
    source             TEXT    NOT NULL,     -- the agency that is asked
    idempotency_key    TEXT    NOT NULL,     -- the client's name for the request that brought it
    body_tag           BYTEA   NOT NULL,     -- tells the same request under that name from another
    request_sha256     BYTEA   NOT NULL,     -- SHA-256 of the canonical text
    sealed             BYTEA   NOT NULL,     -- canonical text, subject, record and certificate, sealed
    stage              TEXT    NOT NULL,     -- the word of the state
    state              TEXT    NOT NULL,     -- the state with what only it carries
    revision           BIGINT  NOT NULL,     -- grows with every step: compared and set
    created_at         BIGINT  NOT NULL,     -- when it was made
    expires_at         BIGINT  NOT NULL,     -- until when it may go on
    envelope           BYTEA,                -- the source's answer, sealed to the recipient; none before, and none once it is over
    UNIQUE (client, idempotency_key)
);
CREATE INDEX reid_request_by_stage ON reid_request (stage, expires_at);
CREATE INDEX reid_request_by_entry ON reid_request (entry);
CREATE INDEX reid_request_by_source ON reid_request (source, stage);

CREATE TABLE reid_vote (
    request            BYTEA   NOT NULL,     -- which request
    agency             TEXT    NOT NULL,     -- the officer's agency
    person             TEXT    NOT NULL,     -- the agency's own keyed reference of the officer: one vote a person
    choice             TEXT    NOT NULL,     -- approve, refuse or withdraw: the newest
    at                 BIGINT  NOT NULL,     -- when it was signed; a later one replaces it
    vote               TEXT    NOT NULL,     -- the vote with its signature
    PRIMARY KEY (request, agency, person)
);
