-- How an agency joins: the keys that it opens sealed messages with, and the sealed linkage keys on
-- their way to it. The gateway can open none of these; what was acknowledged is removed.

CREATE TABLE sealing_key (
    key_id TEXT PRIMARY KEY,  -- follows from the public key
    agency TEXT NOT NULL,  -- whose
    public_key BYTEA NOT NULL,  -- 32 bytes of X25519
    enrolled_at BIGINT NOT NULL  -- when it was enrolled
);
CREATE INDEX sealing_key_by_agency ON sealing_key (agency);

CREATE TABLE relay_grant (
    id BYTEA PRIMARY KEY,  -- UUID version 7
    sender TEXT NOT NULL,  -- the custodian's agency
    idempotency_key TEXT NOT NULL,  -- the sender's name for the request that brought it
    recipient TEXT NOT NULL,  -- the agency that it is sealed to
    sealing_key TEXT NOT NULL,  -- key id that it is sealed to
    epoch BIGINT NOT NULL,  -- linkage key epoch, as the custodian states it
    digest BYTEA NOT NULL,  -- SHA-256 of the sealed bytes
    sealed BYTEA,  -- ciphertext; none once acknowledged or lapsed
    state TEXT NOT NULL,  -- waiting, acknowledged, lapsed
    posted_at BIGINT NOT NULL,  -- when it arrived
    fetched_at BIGINT NOT NULL,  -- when it was first fetched, 0 before
    ended_at BIGINT NOT NULL,  -- when the ciphertext was removed, 0 before
    UNIQUE (sender, idempotency_key)
);
CREATE INDEX relay_grant_by_recipient ON relay_grant (recipient, state, id);
