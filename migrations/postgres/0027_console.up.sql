-- People who are signed in to the console, and sign-ins under way.

CREATE TABLE console_sign_in (
    cookie             BYTEA  PRIMARY KEY,  -- SHA-256 of the cookie that binds it to one browser
    state              TEXT   NOT NULL,     -- what the provider has to give back
    nonce              TEXT   NOT NULL,     -- what the identity token has to hold
    verifier           TEXT   NOT NULL,     -- proof key for the code exchange
    return_to          TEXT   NOT NULL,     -- a path of the console
    session            BYTEA,               -- the session that asks for a fresh sign-in; none for a first one
    started_at         BIGINT NOT NULL
);
CREATE INDEX console_sign_in_by_time ON console_sign_in (started_at);

CREATE TABLE console_session (
    cookie             BYTEA  PRIMARY KEY,  -- SHA-256 of the cookie
    account            TEXT   NOT NULL,     -- keyed name of the person at the provider; what the log calls them
    name               TEXT   NOT NULL,     -- as the provider gives it, to greet them
    access             TEXT   NOT NULL,     -- which line of console.access let them in
    form_token         TEXT   NOT NULL,     -- what every form of the session carries
    handles            BYTEA  NOT NULL,     -- key of the handles that stand for people on its pages
    authenticated_at   BIGINT NOT NULL,     -- when they last proved who they are
    started_at         BIGINT NOT NULL,
    seen_at            BIGINT NOT NULL
);
CREATE INDEX console_session_by_time ON console_session (seen_at);

-- A decision about an incident that one officer proposed in the console and another has to confirm.
CREATE TABLE incident_proposal (
    incident           BYTEA  PRIMARY KEY REFERENCES incident (id),
    assessed_at        BIGINT NOT NULL,  -- of the assessment that it rests on
    proposed_by        TEXT    NOT NULL,  -- account; never a person's name
    facts              TEXT    NOT NULL,  -- who is notified and why, JSON
    proposed_at        BIGINT NOT NULL
);
