-- Match runs: what each was computed from, sealed, so that it can be computed again after the feeds were
-- replaced; what holders decided about candidate families; and the household tokens that a benefits agency
-- can recognise, beside the blinded ones.

ALTER TABLE record ADD COLUMN home_tokens BYTEA;  -- sealed household tokens as the agency made them; none when restricted

CREATE TABLE match_run (
    id BYTEA PRIMARY KEY,
    programme TEXT NOT NULL REFERENCES programme (code),
    number BIGINT NOT NULL,  -- runs of a programme, from 1
    state TEXT NOT NULL,  -- snapshot, listed, closed, failed
    ground TEXT NOT NULL,  -- what was fixed at the start, JSON: inputs, hashes, permitted lines; nothing of a person
    generation BIGINT NOT NULL,  -- whose records it reads
    expected BIGINT NOT NULL,  -- how many records that generation showed at the start
    begun_by TEXT NOT NULL,  -- the agency of the data team
    begun_at BIGINT NOT NULL,
    idempotency_tag BYTEA NOT NULL,  -- keyed tag of the caller's Idempotency-Key and request
    component BIGINT NOT NULL,  -- the snapshot's position: the last record that is in it
    record BIGINT NOT NULL,
    pages BIGINT NOT NULL,  -- pages of the snapshot that are stored
    records BIGINT NOT NULL,  -- records in them
    counts TEXT NOT NULL,  -- JSON, as the closing log entry has them; {} before
    output_sha256 BYTEA,  -- over the candidate families' lines; none before the run is closed
    closed_at BIGINT,
    UNIQUE (programme, number),
    UNIQUE (programme, idempotency_tag)
);

CREATE TABLE match_run_page (
    run BYTEA NOT NULL REFERENCES match_run (id),
    part TEXT NOT NULL,  -- snapshot, holders, list, reply, output
    number BIGINT NOT NULL,
    sealed BYTEA NOT NULL,
    PRIMARY KEY (run, part, number)
);

CREATE TABLE family_validation (
    event BYTEA PRIMARY KEY,  -- the log entry of the decision
    programme TEXT NOT NULL REFERENCES programme (code),
    run BYTEA NOT NULL REFERENCES match_run (id),
    agency TEXT NOT NULL,  -- the holder that decided, about a record of its own
    feed TEXT NOT NULL,
    reference TEXT NOT NULL,
    decision TEXT NOT NULL,  -- confirm, reject, split
    role TEXT NOT NULL,  -- of the person who decided
    reason TEXT NOT NULL,
    decided_at BIGINT NOT NULL,
    idempotency_tag BYTEA NOT NULL,
    UNIQUE (programme, agency, idempotency_tag)
);
CREATE INDEX family_validation_by_record ON family_validation (programme, agency, feed, reference, decided_at);
