-- Refused while two submissions of a feed that are not replaced yet have the same bytes: replace them first.

CREATE UNIQUE INDEX submission_once ON submission (agency, feed, digest);
DROP INDEX submission_by_digest;
ALTER TABLE upload DROP COLUMN bytes;
