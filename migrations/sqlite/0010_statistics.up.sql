-- Tables of counts as they were released, and who was counted: what the next release is held against.

CREATE TABLE statistics_release (
    programme          TEXT   NOT NULL REFERENCES programme (code),
    series             TEXT   NOT NULL,       -- profile and recipient, such as internal/programme-team
    number             INTEGER NOT NULL,        -- 1, 2, 3 and so on
    as_at              INTEGER NOT NULL,        -- start of the day that it describes
    basis              BLOB  NOT NULL,       -- SHA-256 of what was decided: agreements, criteria, rule, feeds by name
    sources            TEXT   NOT NULL,       -- the feeds that it rests on, JSON: nothing in it is about a person
    members            BLOB  NOT NULL,       -- sealed: keyed tags and groups of those counted; emptied once no figure of it stands
    PRIMARY KEY (programme, series, number)
);

CREATE TABLE statistics_figure (
    programme          TEXT   NOT NULL,
    series             TEXT   NOT NULL,
    figure             TEXT   NOT NULL,       -- its lasting name, such as area/A2
    number             INTEGER NOT NULL,        -- the release that set it; it stands until another does
    shown              INTEGER,                 -- the count as shown, none when it is kept back
    PRIMARY KEY (programme, series, figure, number)
);
