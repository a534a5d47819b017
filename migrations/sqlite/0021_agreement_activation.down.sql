-- What waits for a second officer is forgotten; the requests and approvals themselves are in the log.

DROP TABLE agreement_approval;
DROP TABLE agreement_request;
