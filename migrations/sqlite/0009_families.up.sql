-- Families: numbers that are never used again, the records that belong to each, and an append-only history.

CREATE TABLE family (
    tfid TEXT PRIMARY KEY,  -- 16 symbols, the last a check; random, never made from tokens
    programme TEXT NOT NULL REFERENCES programme (code),
    route TEXT NOT NULL,  -- phase1_carry_over, referral, data_match
    issued_at INTEGER NOT NULL,  -- when the number was issued
    attached_at INTEGER NOT NULL,  -- when enough areas were met and validation was done; 0 before
    merged_into TEXT NOT NULL,  -- the family that it became part of; '' while it stands
    revision INTEGER NOT NULL  -- raised by every change
);
CREATE INDEX family_by_survivor ON family (merged_into);

CREATE TABLE family_record (
    family TEXT NOT NULL REFERENCES family (tfid),
    agency TEXT NOT NULL,
    feed TEXT NOT NULL,
    reference TEXT NOT NULL,  -- the agency's own, so that it outlives every snapshot
    joined_at INTEGER NOT NULL,  -- when the record came to the family
    left_at INTEGER NOT NULL,  -- when it left; 0 while it belongs to it
    PRIMARY KEY (family, agency, feed, reference)
);
CREATE INDEX family_record_by_reference ON family_record (reference);

CREATE TABLE family_event (
    family TEXT NOT NULL REFERENCES family (tfid),
    n INTEGER NOT NULL,  -- from 1, in order
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,  -- issued, records_added, attached, engaged, merged, merged_away, split, split_off, lead_started, lead_ended, continuity_alert
    other TEXT NOT NULL,  -- the other family of a merge or split, or ''
    event BLOB NOT NULL,  -- the log entry of the change
    PRIMARY KEY (family, n)
);

CREATE TABLE family_lead (
    family TEXT NOT NULL REFERENCES family (tfid),
    n INTEGER NOT NULL,  -- from 1, in order
    agency TEXT NOT NULL,
    team_route TEXT NOT NULL,  -- a team of the agency's file; never a worker
    since TEXT NOT NULL,  -- month
    ended TEXT NOT NULL,  -- month; '' while it leads
    PRIMARY KEY (family, n)
);

CREATE TABLE family_contact (
    family TEXT NOT NULL REFERENCES family (tfid),
    agency TEXT NOT NULL,
    feed TEXT NOT NULL,
    reference TEXT NOT NULL,  -- the record that told of the contact; shown only while that record may be
    first_month TEXT NOT NULL,  -- the first month of contact that was noted after attachment
    last_month TEXT NOT NULL,  -- the newest that was noted
    noted_at INTEGER NOT NULL,
    PRIMARY KEY (family, agency, feed, reference)
);

CREATE TABLE family_request (
    client TEXT NOT NULL,
    idempotency_tag BLOB NOT NULL,  -- keyed tag of the caller's Idempotency-Key
    request_hash BLOB NOT NULL,  -- keyed, of the whole request
    results TEXT NOT NULL,  -- what was decided, as JSON of outcomes and numbers
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (client, idempotency_tag)
);
CREATE INDEX family_request_by_expiry ON family_request (expires_at);
