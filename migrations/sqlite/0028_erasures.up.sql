-- A restored database does not show again what was erased, whichever command opens it first.

-- Lists of erasures that are kept outside the database, and of which nothing can be opened in it any more. With
-- such a row a command need not look through the list again. A row of an older backup is true of that backup.
CREATE TABLE erasures_followed (
    names_sha256       BLOB   PRIMARY KEY,  -- SHA-256 of the list: random ids of entries
    at                 INTEGER NOT NULL     -- when it was last found so
);
