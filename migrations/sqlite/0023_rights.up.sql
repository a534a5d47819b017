-- The rights of the people in the data, and how long what is known of them is kept.
-- Which entries rested on which record is found by keyed tags, and goes with the openings of the entries.

CREATE TABLE subject_entry (
    tag                BLOB   NOT NULL,     -- keyed tag of the agency, feed and reference of a record that an entry rested on
    event              BLOB   NOT NULL,     -- the entry
    asked_about        INTEGER NOT NULL,     -- 1 when the entry is about the record's person, 0 when about another of the family
    PRIMARY KEY (tag, event)
);
CREATE INDEX subject_entry_by_event ON subject_entry (event);

CREATE TABLE subject_case (
    id                 BLOB   PRIMARY KEY,  -- random: the case number
    programme          TEXT   NOT NULL REFERENCES programme (code),
    agency             TEXT   NOT NULL,     -- the agency that verified who the person is
    kind               TEXT   NOT NULL,     -- access, objection, restriction, rectification, erasure, contested
    opened_at          INTEGER NOT NULL,
    extended           INTEGER NOT NULL,     -- 1 once the time was extended by two months
    paused_at          INTEGER NOT NULL,     -- when the clock was stopped, 0 while it runs
    paused_for         INTEGER NOT NULL,     -- how long it stood before, in microseconds
    closed_at          INTEGER NOT NULL,     -- 0 while the case is open
    reply_key          TEXT   NOT NULL,     -- public key that answers are sealed to, '' where the agency gave none
    request_tag        BLOB   NOT NULL,     -- keyed tag of the caller's Idempotency-Key
    request_hash       BLOB   NOT NULL,     -- keyed, of the whole request
    sealed             BLOB   NOT NULL,     -- sealed, one length: the agency's own records that the case is about
    shield             BLOB   NOT NULL,     -- sealed to the shield officers, one length: parts that are theirs, or padding
    event              BLOB   NOT NULL,     -- the entry that opened it
    UNIQUE (agency, request_tag)
);
CREATE INDEX subject_case_by_agency ON subject_case (agency, opened_at);

CREATE TABLE subject_part (
    id                 BLOB   PRIMARY KEY,  -- random
    subject_case       BLOB   NOT NULL REFERENCES subject_case (id),
    controller         TEXT   NOT NULL,     -- the agency that holds the records
    sealed             BLOB   NOT NULL,     -- sealed, one length: the controller's own records
    state              TEXT   NOT NULL,     -- waiting, answered
    outcome            TEXT   NOT NULL,     -- what the controller decided, '' before
    answered_at        INTEGER NOT NULL,     -- 0 before
    reply              BLOB,               -- the answer, sealed to the case's key or at rest
    event              BLOB                -- the entry of the answer
);
CREATE INDEX subject_part_by_controller ON subject_part (controller, state);
CREATE INDEX subject_part_by_case ON subject_part (subject_case);

CREATE TABLE record_hold (
    programme          TEXT   NOT NULL REFERENCES programme (code),
    agency             TEXT   NOT NULL,     -- whose record
    feed               TEXT   NOT NULL,
    reference          TEXT   NOT NULL,     -- the agency's own, so that it outlives every snapshot
    effect             TEXT   NOT NULL,     -- restricted, contested
    criterion          TEXT   NOT NULL,     -- which criterion is contested, '' for the whole record
    subject_case       BLOB   NOT NULL,     -- the case or part under which it was decided
    since              INTEGER NOT NULL,
    PRIMARY KEY (programme, agency, feed, reference, effect, criterion)
);

CREATE TABLE subject_complaint (
    id                 BLOB   PRIMARY KEY,  -- random
    programme          TEXT   NOT NULL REFERENCES programme (code),
    agency             TEXT   NOT NULL,     -- the agency that took it
    about              TEXT   NOT NULL,     -- what about, as a code
    subject_case       BLOB,               -- the case that it is about, if any
    received_at        INTEGER NOT NULL,
    acknowledged_at    INTEGER NOT NULL,     -- 0 before
    closed_at          INTEGER NOT NULL,     -- 0 before
    outcome            TEXT   NOT NULL,     -- '' before
    request_tag        BLOB   NOT NULL,     -- keyed tag of the caller's Idempotency-Key
    UNIQUE (agency, request_tag)
);

CREATE TABLE legal_hold (
    id                 BLOB   PRIMARY KEY,  -- random
    programme          TEXT   NOT NULL REFERENCES programme (code),
    covers             TEXT   NOT NULL,     -- everything, agency, agreement, purpose, entry
    name               TEXT   NOT NULL,     -- which one, '' for everything
    reason             TEXT   NOT NULL,     -- a code, such as an inquiry's
    placed_by          TEXT   NOT NULL,     -- an account, never a person's name
    placed_at          INTEGER NOT NULL,
    lifted_by          TEXT   NOT NULL,     -- '' while it stands
    lifted_at          INTEGER NOT NULL      -- 0 while it stands
);
