-- What agencies have to know: wrong matches recalled, incidents, emergency enquiries, decisions not to share.

-- An agency's inbox. A row comes in the transaction of the log entry that it tells of.
CREATE TABLE notice (
    id              BLOB PRIMARY KEY,
    programme       TEXT NOT NULL,
    agency          TEXT NOT NULL,       -- whose inbox
    at              INTEGER NOT NULL,
    event           BLOB NOT NULL,       -- the log entry that it tells of; its sealed opening is what the notice says
    kind            TEXT NOT NULL,       -- answer_wrong or family_attention
    acknowledged_at INTEGER NOT NULL,    -- 0 until then
    acknowledgement BLOB                 -- the log entry of the acknowledgement
);
CREATE INDEX notice_by_agency ON notice (programme, agency, at, id);

-- Wrong matches and wrong deliveries that are being recalled.
CREATE TABLE recall (
    id         BLOB PRIMARY KEY,
    programme  TEXT NOT NULL,
    raised_by  TEXT NOT NULL,            -- account of the officer; empty when a holder raised it
    agency     TEXT NOT NULL,            -- the holder that raised it; empty when an officer did
    tag        BLOB NOT NULL,            -- keyed tag of the request, so that a repeat is known
    reason     TEXT NOT NULL,            -- a code
    opened_at  INTEGER NOT NULL,
    opened     BLOB NOT NULL,            -- the log entry of its opening; its sealed opening says which records or delivery
    state      TEXT NOT NULL,            -- searching, waiting or closed
    place      INTEGER NOT NULL,         -- entries of the log below this index were looked at
    undone_at  INTEGER NOT NULL,         -- when no new answer could rest on it any more; 0 until then
    looked     INTEGER NOT NULL,         -- answers that had the wrong match or delivery in them
    untouched  INTEGER NOT NULL,         -- of these, answers that come out the same without it
    closed_at  INTEGER NOT NULL          -- 0 until then
);
CREATE UNIQUE INDEX recall_once ON recall (programme, tag);
CREATE INDEX recall_by_state ON recall (programme, state);

-- What a recall found: answers that were wrong, families and engagements that want attention.
CREATE TABLE recall_finding (
    recall     BLOB NOT NULL REFERENCES recall (id),
    of         TEXT NOT NULL,            -- answer, engagement, run or family
    event      BLOB NOT NULL,            -- the log entry of the answer; a keyed tag of the family's number
    agency     TEXT NOT NULL,            -- who received it
    notice     BLOB NOT NULL REFERENCES notice (id),
    is_certain INTEGER NOT NULL,         -- 0 where the records of that day cannot be told apart any more
    PRIMARY KEY (recall, of, event)
);
CREATE INDEX recall_finding_by_event ON recall_finding (event);
CREATE INDEX recall_finding_by_notice ON recall_finding (notice);

-- Personal data breaches and what else went wrong. Codes and numbers only.
CREATE TABLE incident (
    id         BLOB PRIMARY KEY,
    programme  TEXT NOT NULL,
    state      TEXT NOT NULL,            -- open, assessed, decided or closed
    aware_at   INTEGER NOT NULL,         -- when the controller became aware: the 72 hours run from here
    opened_at  INTEGER NOT NULL,
    facts      TEXT NOT NULL,            -- everything that was recorded of it, JSON
    revision   INTEGER NOT NULL          -- raised by every step
);

-- What an incident is about.
CREATE TABLE incident_link (
    incident   BLOB NOT NULL REFERENCES incident (id),
    of         TEXT NOT NULL,            -- recall, alert or entry
    name       TEXT NOT NULL,            -- its id
    PRIMARY KEY (incident, of, name)
);

-- Emergency enquiries that were answered or refused, until somebody reviewed them.
CREATE TABLE emergency (
    event       BLOB PRIMARY KEY,        -- the log entry of the enquiry
    programme   TEXT NOT NULL,
    agency      TEXT NOT NULL,
    client      TEXT NOT NULL,
    at          INTEGER NOT NULL,
    due_at      INTEGER NOT NULL,        -- a review is due by then
    reviewed_at INTEGER NOT NULL,        -- 0 until then
    review      BLOB                     -- the log entry of the review
);
CREATE INDEX emergency_by_client ON emergency (client, reviewed_at, due_at);
CREATE INDEX emergency_by_agency ON emergency (programme, agency, at);

-- When an agency means to look at a record of its own again, restricted or not: a row tells of no shield.
CREATE TABLE shield_review (
    programme   TEXT NOT NULL,
    agency      TEXT NOT NULL,
    feed        TEXT NOT NULL,
    reference   TEXT NOT NULL,           -- the agency's own record
    review_on   TEXT NOT NULL,           -- the day
    noted_at    INTEGER NOT NULL,
    PRIMARY KEY (programme, agency, feed, reference)
);
