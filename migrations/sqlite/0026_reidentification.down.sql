-- Nobody is re-identified any more; the log keeps what happened.

DROP TABLE reid_vote;
DROP TABLE reid_request;
DROP TABLE reid_key;
