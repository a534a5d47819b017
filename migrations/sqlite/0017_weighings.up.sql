-- Which weights are in force, and what each record was when they were last applied; which runs lost their pages.

CREATE TABLE weighing (
    programme TEXT PRIMARY KEY REFERENCES programme (code),
    weights_sha256 BLOB NOT NULL,  -- the frozen weights
    event BLOB NOT NULL,  -- log entry of the last time that they were applied
    applied_at INTEGER NOT NULL
);

CREATE TABLE weighed_record (
    programme TEXT NOT NULL REFERENCES programme (code),
    agency TEXT NOT NULL,
    feed TEXT NOT NULL,
    reference TEXT NOT NULL,
    tag BLOB NOT NULL,  -- 16 bytes, keyed by the match run's private key: others once the record's evidence changes
    PRIMARY KEY (programme, agency, feed, reference)
);

ALTER TABLE match_run ADD COLUMN removed_at INTEGER;  -- when its pages were removed; none while they are there
