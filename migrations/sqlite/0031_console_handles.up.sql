-- Whom the handles on a session's pages stand for. They end with the session.

CREATE TABLE console_handle (
    session            BLOB   NOT NULL REFERENCES console_session (cookie) ON DELETE CASCADE,
    handle             BLOB   NOT NULL,  -- 16 bytes, of a key that the session and its browser have together
    sealed             BLOB   NOT NULL,  -- the subject; opens with the cookie, which is not in the database
    PRIMARY KEY (session, handle)
);
