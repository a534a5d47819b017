-- Whether agencies' systems make the tokens that they should: what the key custodian registered for the
-- test people, and which systems came to the same.

CREATE TABLE test_token (
    programme TEXT NOT NULL REFERENCES programme (code),
    epoch INTEGER NOT NULL,  -- linkage key epoch
    token_type TEXT NOT NULL,  -- one hash for each
    norm INTEGER NOT NULL,  -- normalisation version
    digest BLOB NOT NULL,  -- 32 bytes over the test people's tokens of the type
    PRIMARY KEY (programme, epoch, token_type, norm)
);

CREATE TABLE token_check (
    programme TEXT NOT NULL REFERENCES programme (code),
    client TEXT NOT NULL,  -- the system that came to the registered tokens
    epoch INTEGER NOT NULL,  -- in which epoch
    token_type TEXT NOT NULL,  -- of which type
    norm INTEGER NOT NULL,  -- normalisation version
    checked_at INTEGER NOT NULL,  -- when it last did
    PRIMARY KEY (programme, client, epoch, token_type, norm)
);
