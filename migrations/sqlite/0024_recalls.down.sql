DROP TABLE shield_review;
DROP TABLE emergency;
DROP TABLE incident_link;
DROP TABLE incident;
DROP TABLE recall_finding;
DROP TABLE recall;
DROP TABLE notice;
