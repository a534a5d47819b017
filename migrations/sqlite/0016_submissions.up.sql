-- The same bytes may land again once the feed went on, and an upload remembers how long it is already.

DROP INDEX submission_once;
CREATE INDEX submission_by_digest ON submission (agency, feed, digest);
ALTER TABLE upload ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0; -- of the lines that are held
