ALTER TABLE match_run DROP COLUMN removed_at;
DROP TABLE weighed_record;
DROP TABLE weighing;
