-- Decisions about pairs are lost from the tables; their entries stay in the log. Pair tokens stay in the
-- records until these are delivered again: an older binary links by none of them.

ALTER TABLE link DROP COLUMN apart;
DROP TABLE pair_mark;
DROP TABLE possible_match;
DROP TABLE pair;
