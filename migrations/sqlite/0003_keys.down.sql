-- Only for a database whose tokens were never blinded again and that has no frozen or retired epoch:
-- an older binary knows neither.

ALTER TABLE subject_index DROP COLUMN restacked;
DROP TABLE blinding;
DROP TABLE epoch;
