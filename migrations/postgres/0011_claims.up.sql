-- When families were engaged: which log entry holds the evidence as at that day.
CREATE TABLE engagement_baseline (
    event       BYTEA PRIMARY KEY,    -- the log entry; its sealed opening holds the evidence
    programme   TEXT NOT NULL,
    recipient   TEXT NOT NULL,       -- the agency that recorded it, and the only one that may use it
    engaged_on  TEXT NOT NULL,       -- the day of engagement, as stated
    at          BIGINT NOT NULL     -- when the evidence was looked at
);

-- Referrals on their way. Nothing here is about a person: the case is in the log entries, as a commitment.
CREATE TABLE referral (
    id          BYTEA PRIMARY KEY,
    programme   TEXT NOT NULL,
    agency      TEXT NOT NULL,       -- the agency that received it
    door        TEXT NOT NULL,       -- early_help or education_welfare
    state       TEXT NOT NULL,       -- a step is taken only from the state that it was decided on
    last_event  BYTEA NOT NULL,       -- the log entry of the newest step
    received_at BIGINT NOT NULL,
    changed_at  BIGINT NOT NULL
);
