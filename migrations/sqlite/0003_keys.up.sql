-- The life of keys: states of linkage key epochs, and how often the stored tokens were blinded.

CREATE TABLE epoch (
    programme          TEXT   NOT NULL REFERENCES programme (code),
    epoch              INTEGER NOT NULL,     -- linkage key epoch
    state              TEXT   NOT NULL,     -- active, frozen or retired
    changed_at         INTEGER NOT NULL,     -- when it took that state
    swept_to           INTEGER NOT NULL,     -- once retired: its tokens are gone from records up to this id
    PRIMARY KEY (programme, epoch)
);
INSERT INTO epoch (programme, epoch, state, changed_at, swept_to)
SELECT programme, epoch, 'active', 0, 0 FROM key_check GROUP BY programme, epoch;

CREATE TABLE blinding (
    programme          TEXT   PRIMARY KEY REFERENCES programme (code),
    layers             INTEGER NOT NULL,     -- every stored token went through this many blinding keys
    target             INTEGER NOT NULL,     -- more than layers while stored tokens are being blinded again
    records_to         INTEGER NOT NULL,     -- done up to this record id
    tags_to            BLOB NOT NULL      -- done up to this tag of the subject index; empty at the start
);

-- The highest target of a restack that has rewritten the row's tag; 0 when none has.
ALTER TABLE subject_index ADD COLUMN restacked INTEGER NOT NULL DEFAULT 0;
