-- Numbers and histories of families are lost; what was decided about them stays in the log.

DROP TABLE family_request;
DROP TABLE family_contact;
DROP TABLE family_lead;
DROP TABLE family_event;
DROP TABLE family_record;
DROP TABLE family;
