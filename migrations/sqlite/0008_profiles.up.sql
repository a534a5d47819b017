-- Evidence that only a match run reads: field tokens and fuzzy encodings, which could be counted, are never columns.

CREATE TABLE profile_blob (
    record             INTEGER PRIMARY KEY,     -- the record that it belongs to; gone with it
    sealed             BLOB  NOT NULL        -- padded to one length, sealed to the match run's public key
);
