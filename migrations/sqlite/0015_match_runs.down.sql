DROP TABLE family_validation;
DROP TABLE match_run_page;
DROP TABLE match_run;
ALTER TABLE record DROP COLUMN home_tokens;
