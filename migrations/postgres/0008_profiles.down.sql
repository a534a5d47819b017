-- Agencies that supply under the privacy profiles B and C have to submit again.

DROP TABLE profile_blob;
