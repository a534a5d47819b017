-- Uploads that broke off cannot go on; they are sent again from their beginning.

DROP TABLE upload;
