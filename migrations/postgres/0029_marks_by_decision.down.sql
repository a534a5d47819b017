-- Of several marks with one effect the first is kept.

CREATE TABLE record_mark (
    programme          TEXT   NOT NULL REFERENCES programme (code),
    agency             TEXT   NOT NULL,     -- whose record
    feed               TEXT   NOT NULL,
    reference          TEXT   NOT NULL,     -- the agency's own, so that it outlives every snapshot
    effect             TEXT   NOT NULL,     -- restricted, contested
    criterion          TEXT   NOT NULL,     -- which criterion is contested, '' for the whole record
    subject_case       BYTEA  NOT NULL,     -- the case or part under which it was decided
    since              BIGINT  NOT NULL,
    PRIMARY KEY (programme, agency, feed, reference, effect, criterion)
);

INSERT INTO record_mark (programme, agency, feed, reference, effect, criterion, subject_case, since)
SELECT programme, agency, feed, reference, effect, criterion, subject_case, since FROM record_hold WHERE TRUE ORDER BY since, subject_case
ON CONFLICT (programme, agency, feed, reference, effect, criterion) DO NOTHING;
DROP TABLE record_hold;
ALTER TABLE record_mark RENAME TO record_hold;
