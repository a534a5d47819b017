DROP TABLE incident_proposal;
DROP TABLE console_session;
DROP TABLE console_sign_in;
