-- The log for those who examine it: an index derived from its entries, and what witnesses cosigned.
-- The index may be emptied and is made again from the entries; nothing is decided by it.

CREATE TABLE log_facet (
    facet              TEXT   NOT NULL,     -- what is searched by: agency, area, power, purpose, rule, outcome, type and so on
    value              TEXT   NOT NULL,     -- a code; never anything about a person
    idx                BIGINT NOT NULL,     -- the entry's index in the log
    PRIMARY KEY (facet, value, idx)
);
CREATE INDEX log_facet_by_entry ON log_facet (idx);

CREATE TABLE log_indexed (
    id                 BIGINT  PRIMARY KEY,  -- always 1
    size               BIGINT NOT NULL,     -- entries below this index are in log_facet
    turn               BIGINT NOT NULL      -- grows with every locked step
);
INSERT INTO log_indexed (id, size, turn) VALUES (1, 0, 0);

CREATE TABLE log_cosignature (
    size               BIGINT NOT NULL,     -- size of the checkpoint that was cosigned
    witness            TEXT   NOT NULL,     -- verifier key of the witness
    signed_at          BIGINT NOT NULL,     -- when, by the witness
    covers_until       BIGINT NOT NULL,     -- the log of up to this moment is under it
    line               TEXT   NOT NULL,     -- the signature line as it stands in a note
    PRIMARY KEY (size, witness)
);
CREATE INDEX log_cosignature_by_witness ON log_cosignature (witness, covers_until);
