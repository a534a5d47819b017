-- The log is searched no more, and cosignatures are forgotten; the log itself is as it was.

DROP TABLE log_cosignature;
DROP TABLE log_indexed;
DROP TABLE log_facet;
