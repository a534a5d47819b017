-- Reviews of disclosures, and alerts. Disclosures are named by their log entries, officers by their accounts;
-- nothing here is about a person in the data, but for decoys, who are nobody.

CREATE TABLE review_officer (
    account            TEXT   PRIMARY KEY,  -- never a person's name
    agency             TEXT   NOT NULL,
    signatory_keys     TEXT   NOT NULL,     -- JSON list: signatory keys that are the officer's own
    clients            TEXT   NOT NULL,     -- JSON list: clients that the officer asks through
    user_tags          TEXT   NOT NULL,     -- JSON list: keyed tags of the officer's own references as a user
    status             TEXT   NOT NULL,     -- registered or ended
    changed_at         INTEGER NOT NULL
);

CREATE TABLE review_plan (
    event              BLOB   PRIMARY KEY,  -- the entry of the draw
    strategy           TEXT   NOT NULL,
    strata             TEXT   NOT NULL,     -- JSON: stratum, population, sample
    population         INTEGER NOT NULL,
    sample             INTEGER NOT NULL,
    drawn_by           TEXT   NOT NULL,
    drawn_at           INTEGER NOT NULL
);

CREATE TABLE review (
    entry              BLOB   PRIMARY KEY,  -- the disclosure
    idx                INTEGER NOT NULL,     -- its index in the log
    agency             TEXT,                -- to whom the disclosure was made; none when to nobody
    state              TEXT   NOT NULL,     -- drawn, taken, referred, proposed, due, closed
    reviewer           TEXT,                -- who has it, or decided
    barred             TEXT,                -- whose decision was not confirmed, or was unclear: another decides
    finding            TEXT,
    severity           TEXT,
    action             TEXT,
    owner              TEXT,                -- a post or account
    due                INTEGER,              -- day by which it is done, days since 1970
    agreement          TEXT,                -- that the finding suspends
    reason             TEXT,
    finding_event      BLOB,                -- the entry by which the finding took effect
    last_event         BLOB   NOT NULL,     -- every step moves it, from exactly the one before
    changed_at         INTEGER NOT NULL
);
CREATE INDEX review_by_state ON review (state, due);
CREATE INDEX review_by_agency ON review (agency, idx);

CREATE TABLE review_sample (
    plan               BLOB   NOT NULL REFERENCES review_plan (event),
    entry              BLOB   NOT NULL REFERENCES review (entry),
    stratum            TEXT   NOT NULL,
    PRIMARY KEY (plan, entry)
);

CREATE TABLE review_look (
    entry              BLOB   NOT NULL,     -- the disclosure that was read
    account            TEXT   NOT NULL,     -- by which officer
    event              BLOB   NOT NULL,     -- the entry of the look
    PRIMARY KEY (entry, account)
);

CREATE TABLE review_reply (
    event              BLOB   PRIMARY KEY,  -- the entry of the reply
    entry              BLOB   NOT NULL REFERENCES review (entry),
    finding_event      BLOB   NOT NULL,     -- the finding that it replies to
    agency             TEXT   NOT NULL,
    position           TEXT   NOT NULL,     -- accepted, disputed, corrected
    reason             TEXT   NOT NULL,
    replied_at         INTEGER NOT NULL,
    idempotency_tag    BLOB   NOT NULL,     -- keyed tag of the caller's Idempotency-Key
    request_hash       BLOB   NOT NULL,
    UNIQUE (finding_event, position),
    UNIQUE (agency, idempotency_tag)
);

CREATE TABLE alert (
    event              BLOB   PRIMARY KEY,  -- the entry that opened it
    mark               TEXT   NOT NULL UNIQUE, -- kind, agency, client and day, or the entry: one alert for each
    kind               TEXT   NOT NULL,
    severity           TEXT   NOT NULL,
    agency             TEXT,
    client             TEXT,
    day                INTEGER NOT NULL,     -- of the questions, days since 1970, UTC
    entry              BLOB,                -- the single entry that raised it, where it need not be hidden
    figures            TEXT   NOT NULL,     -- JSON: of, count
    state              TEXT   NOT NULL,     -- open, escalated, closed
    escalated_to       TEXT,
    last_event         BLOB   NOT NULL,     -- every step moves it, from exactly the one before
    opened_at          INTEGER NOT NULL
);
CREATE INDEX alert_by_state ON alert (state, opened_at);

CREATE TABLE alert_day (
    day                INTEGER NOT NULL,     -- days since 1970, UTC
    agency             TEXT   NOT NULL,
    client             TEXT   NOT NULL,     -- empty for the agency with all its clients
    figures            TEXT   NOT NULL,     -- JSON of numbers: how much was asked, never about whom
    PRIMARY KEY (agency, client, day)
);

CREATE TABLE alert_decoy (
    id                 BLOB   PRIMARY KEY,  -- keyed tag of the record's name
    sealed             BLOB   NOT NULL,     -- which record it is
    registered_at      INTEGER NOT NULL
);

CREATE TABLE log_watch (
    job                TEXT   PRIMARY KEY,  -- review, alert
    size               INTEGER NOT NULL,     -- entries below this index have been looked at
    turn               INTEGER NOT NULL      -- grows with every locked step
);
-- What was logged before is history: neither sampled by itself nor warned about.
INSERT INTO log_watch (job, size, turn) SELECT 'review', COALESCE(MAX(size), 0), 0 FROM log_head;
INSERT INTO log_watch (job, size, turn) SELECT 'alert', COALESCE(MAX(size), 0), 0 FROM log_head;

CREATE INDEX subject_index_of_alerts ON subject_index (event);
