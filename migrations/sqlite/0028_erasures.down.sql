DROP TABLE erasures_followed;
