-- Everything that the first release stores.
-- Whole numbers, text and bytes only. Times are microseconds since 1970 in UTC. Identifiers of
-- agencies, agreements and so on are the codes of the policy files. Nothing here names a person.
-- The log's tables carry no foreign keys: an entry and its parts are written by one transaction, and
-- the verifier checks far more than a foreign key could.

CREATE TABLE programme (
    code               TEXT   PRIMARY KEY,  -- linkage domain, as in programme.toml
    generation         INTEGER NOT NULL,     -- what enquiries see: rows whose range holds it
    policy_revision    INTEGER NOT NULL,     -- grows with every change of a policy document or agreement status
    publisher          BLOB,               -- submission whose links are being made visible, none when free
    publisher_until    INTEGER NOT NULL      -- when its claim lapses
);

CREATE TABLE counter (
    name               TEXT   PRIMARY KEY,  -- record: ids are handed out in blocks
    next               INTEGER NOT NULL      -- next free number
);
INSERT INTO counter (name, next) VALUES ('record', 1);

CREATE TABLE key_check (
    programme          TEXT   NOT NULL REFERENCES programme (code),
    epoch              INTEGER NOT NULL,     -- linkage key epoch
    token_type         TEXT   NOT NULL,     -- strong identifier, match key or household token
    norm               INTEGER NOT NULL,     -- normalisation version
    value              BLOB   NOT NULL,     -- 8 bytes: the same for everybody who holds the right key
    PRIMARY KEY (programme, epoch, token_type, norm)
);

CREATE TABLE token_kind (
    programme          TEXT   NOT NULL REFERENCES programme (code),
    kind               INTEGER NOT NULL,     -- small number used in packed tokens
    token_type         TEXT   NOT NULL,     -- what it stands for
    norm               INTEGER NOT NULL,     -- normalisation version
    PRIMARY KEY (programme, kind),
    UNIQUE (programme, token_type, norm)
);

CREATE TABLE document (
    sha256             BLOB   PRIMARY KEY,  -- of the exact bytes
    kind               TEXT   NOT NULL,     -- programme, match_keys, agency, agreement, rules
    name               TEXT   NOT NULL,     -- code or reference of what it describes
    body               BLOB   NOT NULL,     -- the signed or loaded text itself
    loaded_at          INTEGER NOT NULL      -- when it was first seen
);

CREATE TABLE current_document (
    kind               TEXT   NOT NULL,
    name               TEXT   NOT NULL,
    sha256             BLOB   NOT NULL REFERENCES document (sha256),
    PRIMARY KEY (kind, name)
);

CREATE TABLE agreement (
    reference          TEXT   PRIMARY KEY,  -- code and version, such as schools-hub/v2
    sha256             BLOB   NOT NULL REFERENCES document (sha256),
    status             TEXT   NOT NULL,     -- draft, signed, in_force, suspended, expired, withdrawn
    status_at          INTEGER NOT NULL      -- when it took that status
);

CREATE TABLE agency (
    code               TEXT   PRIMARY KEY,
    status             TEXT   NOT NULL,     -- active or suspended
    enrolled_at        INTEGER NOT NULL
);

CREATE TABLE signatory (
    key_id             TEXT   PRIMARY KEY,  -- names the key in signatures
    agency             TEXT   NOT NULL REFERENCES agency (code),
    public_key         BLOB   NOT NULL,     -- Ed25519, 32 bytes
    status             TEXT   NOT NULL,     -- active or revoked
    enrolled_at        INTEGER NOT NULL
);

CREATE TABLE agreement_signature (
    sha256             BLOB   NOT NULL REFERENCES document (sha256),
    party              TEXT   NOT NULL REFERENCES agency (code),
    key_id             TEXT   NOT NULL REFERENCES signatory (key_id),
    signature          BLOB   NOT NULL,     -- Ed25519 over the agreement's bytes
    signed_at          INTEGER NOT NULL,
    PRIMARY KEY (sha256, party)
);

CREATE TABLE client (
    id                 TEXT   PRIMARY KEY,  -- client_id of an agency's system
    agency             TEXT   NOT NULL REFERENCES agency (code),
    status             TEXT   NOT NULL      -- active or suspended
);

CREATE TABLE client_key (
    client             TEXT   NOT NULL REFERENCES client (id),
    kid                TEXT   NOT NULL,     -- key id in the assertion's header
    jwk                TEXT   NOT NULL,     -- public key
    status             TEXT   NOT NULL,     -- active or revoked
    PRIMARY KEY (client, kid)
);

CREATE TABLE certificate (
    sha256             BLOB   PRIMARY KEY,  -- of the leaf as presented
    agency             TEXT   NOT NULL REFERENCES agency (code),
    not_after          INTEGER NOT NULL,
    status             TEXT   NOT NULL      -- active or revoked
);

CREATE TABLE used_assertion (
    client             TEXT   NOT NULL,
    jti                TEXT   NOT NULL,     -- single use, kept past its expiry
    expires_at         INTEGER NOT NULL,
    PRIMARY KEY (client, jti)
);
CREATE INDEX used_assertion_by_expiry ON used_assertion (expires_at);

CREATE TABLE submission (
    id                 BLOB   PRIMARY KEY,  -- UUID, time ordered
    programme          TEXT   NOT NULL REFERENCES programme (code),
    agency             TEXT   NOT NULL REFERENCES agency (code),
    feed               TEXT   NOT NULL,
    agreement          TEXT   NOT NULL,     -- whose supply term covers it
    mode               TEXT   NOT NULL,     -- snapshot (delta is not taken yet)
    rows_mode          TEXT   NOT NULL,     -- all_or_nothing or good_rows
    as_at              INTEGER NOT NULL,     -- the day that the feed describes
    state              TEXT   NOT NULL,     -- staging, staged, publishing, visible, replaced, failed
    digest             BLOB,               -- SHA-256 of the whole file, once received
    rows_read          INTEGER NOT NULL,
    rows_accepted      INTEGER NOT NULL,
    rows_rejected      INTEGER NOT NULL,
    holds_rows         INTEGER NOT NULL,     -- 1 until its rows are removed
    visible_from       INTEGER NOT NULL,     -- generation range in which its rows are seen
    visible_to         INTEGER NOT NULL,
    failure            TEXT,                -- code, when failed
    received_at        INTEGER NOT NULL,
    finished_at        INTEGER               -- when it became visible, replaced or failed
);
CREATE UNIQUE INDEX submission_once ON submission (agency, feed, digest);
CREATE INDEX submission_by_feed ON submission (programme, agency, feed, visible_to);

CREATE TABLE row_error (
    submission         BLOB   NOT NULL REFERENCES submission (id),
    row_number         INTEGER NOT NULL,     -- line of the file, the header being line 1
    field              TEXT   NOT NULL,     -- where in the row
    code               TEXT   NOT NULL,     -- what is wrong; never the value
    PRIMARY KEY (submission, row_number, field, code)
);

CREATE TABLE record (
    id                 INTEGER PRIMARY KEY,
    submission         BLOB   NOT NULL REFERENCES submission (id),
    agency             TEXT   NOT NULL,
    feed               TEXT   NOT NULL,
    reference          TEXT   NOT NULL,     -- the agency's own keyed reference
    restricted         INTEGER NOT NULL,     -- 1 when this agency shields the person
    tokens             BLOB   NOT NULL,     -- blinded tokens, packed: kind, epoch, 16 bytes each
    households         BLOB   NOT NULL,     -- blinded household tokens, packed likewise
    evidence           BLOB   NOT NULL,     -- sealed per row
    UNIQUE (submission, reference)
);

CREATE TABLE token (
    blinded            BLOB   NOT NULL,
    record             INTEGER NOT NULL,
    PRIMARY KEY (blinded, record)
) WITHOUT ROWID;

CREATE TABLE household (
    blinded            BLOB   NOT NULL,
    record             INTEGER NOT NULL,
    PRIMARY KEY (blinded, record)
) WITHOUT ROWID;

CREATE TABLE link (
    record             INTEGER NOT NULL,
    visible_from       INTEGER NOT NULL,     -- generation range in which this row holds
    visible_to         INTEGER NOT NULL,
    component          INTEGER NOT NULL,     -- smallest record id of the records joined by candidate pairs
    person             INTEGER NOT NULL,     -- a record id that names the cluster over all records
    shielded           INTEGER NOT NULL,     -- 1 when a restriction reaches this record
    PRIMARY KEY (record, visible_from)
);
CREATE INDEX link_by_component ON link (component, visible_to);
CREATE INDEX link_by_end ON link (visible_to);

CREATE TABLE event (
    id                 BLOB   PRIMARY KEY,  -- UUID, time ordered
    type               TEXT   NOT NULL,     -- entry type
    at                 INTEGER NOT NULL,
    recipient          TEXT,                -- lifted from the body for officers' screens
    agreement          TEXT,
    purpose            TEXT,
    outcome            TEXT,
    leaf_hash          BLOB   NOT NULL,     -- SHA-256 of 0x00 and the body
    body               BLOB   NOT NULL      -- the entry, verbatim
);
CREATE INDEX event_by_time ON event (at);

CREATE TABLE log_pending (
    event              BLOB   PRIMARY KEY,
    leaf_hash          BLOB   NOT NULL
);

CREATE TABLE log_leaf (
    idx                INTEGER PRIMARY KEY,
    event              BLOB   NOT NULL UNIQUE,
    leaf_hash          BLOB   NOT NULL
);

CREATE TABLE log_tile (
    level              INTEGER NOT NULL,
    n                  INTEGER NOT NULL,
    data               BLOB   NOT NULL,     -- 32 bytes a hash, up to 256
    PRIMARY KEY (level, n)
);

CREATE TABLE log_head (
    id                 INTEGER PRIMARY KEY,  -- always 1: the row that sequencers lock
    origin             TEXT   NOT NULL,     -- the log's name in every checkpoint
    size               INTEGER NOT NULL,
    edge               BLOB   NOT NULL,     -- right edge of the tree, 32 bytes a hash
    turn               INTEGER NOT NULL      -- grows with every locked step
);

CREATE TABLE log_checkpoint (
    size               INTEGER PRIMARY KEY,
    at                 INTEGER NOT NULL,
    note               TEXT   NOT NULL      -- the signed checkpoint
);

CREATE TABLE opening (
    event              BLOB   NOT NULL,
    field              TEXT   NOT NULL,     -- which commitment of the entry it opens
    sealed             BLOB   NOT NULL,     -- salt and value
    PRIMARY KEY (event, field)
);

CREATE TABLE subject_index (
    tag                BLOB   NOT NULL,     -- keyed tag of a blinded token
    event              BLOB   NOT NULL,
    PRIMARY KEY (tag, event)
);

CREATE TABLE ceiling (
    agreement          TEXT   NOT NULL,     -- whose receive clause sets it
    clause             TEXT   NOT NULL,
    recipient          TEXT   NOT NULL,
    day                INTEGER NOT NULL,     -- days since 1970, UTC
    used               INTEGER NOT NULL,
    PRIMARY KEY (agreement, clause, recipient, day)
);

CREATE TABLE reply (
    client             TEXT   NOT NULL,
    idempotency_tag    BLOB   NOT NULL,     -- keyed tag of the caller's Idempotency-Key
    request_hash       BLOB   NOT NULL,     -- SHA-256 of the request
    event              BLOB   NOT NULL REFERENCES event (id),  -- whose sealed answer is the reply
    policy_revision    INTEGER NOT NULL,     -- replayed only while nothing was withdrawn since
    generation         INTEGER NOT NULL,
    expires_at         INTEGER NOT NULL,
    PRIMARY KEY (client, idempotency_tag)
);
CREATE INDEX reply_by_expiry ON reply (expires_at);
