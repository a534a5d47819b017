DROP TABLE departed;
DROP TABLE retraction;
ALTER TABLE submission DROP COLUMN base;
