-- Reviews and alerts are forgotten; their entries stay in the log.

DROP INDEX subject_index_of_alerts;
DROP TABLE log_watch;
DROP TABLE alert_decoy;
DROP TABLE alert_day;
DROP TABLE alert;
DROP TABLE review_reply;
DROP TABLE review_look;
DROP TABLE review_sample;
DROP TABLE review;
DROP TABLE review_plan;
DROP TABLE review_officer;
