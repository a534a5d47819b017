-- Cases, holds and the index of entries by record go; entries of the log stay as they are.

DROP TABLE legal_hold;
DROP TABLE subject_complaint;
DROP TABLE record_hold;
DROP TABLE subject_part;
DROP TABLE subject_case;
DROP TABLE subject_entry;
