-- What was decided about two records, and what agencies are asked to verify in their own.
-- Records are named by agency, feed and reference, because a row's id changes with every snapshot.

CREATE TABLE pair (
    id                 BLOB   PRIMARY KEY,  -- 16 random bytes
    programme          TEXT   NOT NULL REFERENCES programme (code),
    origin             TEXT   NOT NULL,     -- confirmed, apart, weighed or fuzzy: what it is once in force
    first_agency       TEXT   NOT NULL,     -- the smaller of the two records
    first_feed         TEXT   NOT NULL,
    first_reference    TEXT   NOT NULL,
    second_agency      TEXT   NOT NULL,     -- the larger one
    second_feed        TEXT   NOT NULL,
    second_reference   TEXT   NOT NULL,
    weight             INTEGER,              -- in 1/1000 bit, where one was computed
    evidence           TEXT   NOT NULL,     -- names of the match keys that gave rise to it, with commas
    state              TEXT   NOT NULL,     -- proposed, in_force, refused or reversed
    proposed_at        INTEGER NOT NULL,
    decided_at         INTEGER,              -- when it came into force or was refused
    decided_event      BLOB,                -- its log entry
    reversed_at        INTEGER,
    reversed_event     BLOB,
    first_match        BLOB,                -- possible match by which the first record's holder is asked, or decided
    first_answer       TEXT,                -- confirm, reject, split or merge
    second_match       BLOB,
    second_answer      TEXT,
    applied            INTEGER NOT NULL      -- 1 when the records' tokens and links say what the state says
);
CREATE UNIQUE INDEX pair_once ON pair (programme, origin, first_agency, first_feed, first_reference,
    second_agency, second_feed, second_reference) WHERE state IN ('proposed', 'in_force');
CREATE INDEX pair_by_first ON pair (first_agency, first_feed, first_reference);
CREATE INDEX pair_by_second ON pair (second_agency, second_feed, second_reference);
CREATE INDEX pair_by_first_match ON pair (first_match);
CREATE INDEX pair_by_second_match ON pair (second_match);
CREATE INDEX pair_to_apply ON pair (applied);

CREATE TABLE possible_match (
    id                 BLOB   PRIMARY KEY,  -- 16 random bytes: how the API names it
    programme          TEXT   NOT NULL REFERENCES programme (code),
    agency             TEXT   NOT NULL,     -- who is asked, or who raised it
    feed               TEXT   NOT NULL,
    reference          TEXT   NOT NULL,     -- the agency's own record
    fields             TEXT   NOT NULL,     -- names of the fields to verify, with commas; empty when raised
    asked_at           INTEGER NOT NULL,
    state              TEXT   NOT NULL,     -- open, answered or reversed
    answer             TEXT,                -- confirm, reject, split or merge
    role               TEXT,                -- role of the person who decided
    reason             TEXT,
    answered_at        INTEGER,
    event              BLOB,                -- its log entry
    idempotency_tag    BLOB,                -- keyed tag of the answer's Idempotency-Key and body
    reversed_at        INTEGER,
    reversal_role      TEXT,
    reversal_reason    TEXT,
    reversal_event     BLOB,
    reversal_tag       BLOB
);
CREATE INDEX possible_match_by_agency ON possible_match (programme, agency, asked_at);

-- Every decision moves the generation, whatever came of it: otherwise a lapsed reply would tell.
CREATE TABLE pair_mark (
    event              BLOB   PRIMARY KEY,  -- the decision's log entry
    programme          TEXT   NOT NULL REFERENCES programme (code)
);

ALTER TABLE link ADD COLUMN apart BLOB; -- marks of recorded splits that the record's person carries, 16 bytes each
