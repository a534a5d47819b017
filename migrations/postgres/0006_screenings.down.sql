-- Questions that wait are lost; what was decided stays in the log.

DROP TABLE screening_row;
DROP TABLE screening;
