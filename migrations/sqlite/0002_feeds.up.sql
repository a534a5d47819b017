-- Deltas, and submissions that are taken back.
-- A record is seen while its submission and its link row are both in range; a delta ends link rows of
-- single records of a feed whose submissions stay.

ALTER TABLE submission ADD COLUMN base BLOB; -- newest submission that the feed showed when a delta began

CREATE TABLE retraction (
    submission         BLOB   NOT NULL REFERENCES submission (id),  -- delta that removes the record
    reference          TEXT   NOT NULL,     -- the agency's own keyed reference of the record
    PRIMARY KEY (submission, reference)
);

CREATE TABLE departed (
    record             INTEGER PRIMARY KEY,  -- a record that a delta replaced or removed
    programme          TEXT   NOT NULL,
    submission         BLOB   NOT NULL,     -- the one that the record came in
    visible_to         INTEGER NOT NULL      -- first generation that does not see it
);
CREATE INDEX departed_by_end ON departed (programme, visible_to);
