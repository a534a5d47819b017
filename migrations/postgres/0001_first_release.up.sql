-- Everything that the first release stores.
-- Whole numbers, text and bytes only. Times are microseconds since 1970 in UTC. Identifiers of
-- agencies, agreements and so on are the codes of the policy files. Nothing here names a person.
-- The log's tables carry no foreign keys: an entry and its parts are written by one transaction, and
-- the verifier checks far more than a foreign key could.

CREATE TABLE programme (
    code               TEXT   PRIMARY KEY,  -- linkage domain, as in programme.toml
    generation         BIGINT NOT NULL,     -- what enquiries see: rows whose range holds it
    policy_revision    BIGINT NOT NULL,     -- grows with every change of a policy document or agreement status
    publisher          BYTEA,               -- submission whose links are being made visible, none when free
    publisher_until    BIGINT NOT NULL      -- when its claim lapses
);

CREATE TABLE counter (
    name               TEXT   PRIMARY KEY,  -- record: ids are handed out in blocks
    next               BIGINT NOT NULL      -- next free number
);
INSERT INTO counter (name, next) VALUES ('record', 1);

CREATE TABLE key_check (
    programme          TEXT   NOT NULL REFERENCES programme (code),
    epoch              BIGINT NOT NULL,     -- linkage key epoch
    token_type         TEXT   NOT NULL,     -- strong identifier, match key or household token
    norm               BIGINT NOT NULL,     -- normalisation version
    value              BYTEA  NOT NULL,     -- 8 bytes: the same for everybody who holds the right key
    PRIMARY KEY (programme, epoch, token_type, norm)
);

CREATE TABLE token_kind (
    programme          TEXT   NOT NULL REFERENCES programme (code),
    kind               BIGINT NOT NULL,     -- small number used in packed tokens
    token_type         TEXT   NOT NULL,     -- what it stands for
    norm               BIGINT NOT NULL,     -- normalisation version
    PRIMARY KEY (programme, kind),
    UNIQUE (programme, token_type, norm)
);

CREATE TABLE document (
    sha256             BYTEA  PRIMARY KEY,  -- of the exact bytes
    kind               TEXT   NOT NULL,     -- programme, match_keys, agency, agreement, rules
    name               TEXT   NOT NULL,     -- code or reference of what it describes
    body               BYTEA  NOT NULL,     -- the signed or loaded text itself
    loaded_at          BIGINT NOT NULL      -- when it was first seen
);

CREATE TABLE current_document (
    kind               TEXT   NOT NULL,
    name               TEXT   NOT NULL,
    sha256             BYTEA  NOT NULL REFERENCES document (sha256),
    PRIMARY KEY (kind, name)
);

CREATE TABLE agreement (
    reference          TEXT   PRIMARY KEY,  -- code and version, such as schools-hub/v2
    sha256             BYTEA  NOT NULL REFERENCES document (sha256),
    status             TEXT   NOT NULL,     -- draft, signed, in_force, suspended, expired, withdrawn
    status_at          BIGINT NOT NULL      -- when it took that status
);

CREATE TABLE agency (
    code               TEXT   PRIMARY KEY,
    status             TEXT   NOT NULL,     -- active or suspended
    enrolled_at        BIGINT NOT NULL
);

CREATE TABLE signatory (
    key_id             TEXT   PRIMARY KEY,  -- names the key in signatures
    agency             TEXT   NOT NULL REFERENCES agency (code),
    public_key         BYTEA  NOT NULL,     -- Ed25519, 32 bytes
    status             TEXT   NOT NULL,     -- active or revoked
    enrolled_at        BIGINT NOT NULL
);

CREATE TABLE agreement_signature (
    sha256             BYTEA  NOT NULL REFERENCES document (sha256),
    party              TEXT   NOT NULL REFERENCES agency (code),
    key_id             TEXT   NOT NULL REFERENCES signatory (key_id),
    signature          BYTEA  NOT NULL,     -- Ed25519 over the agreement's bytes
    signed_at          BIGINT NOT NULL,
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
    sha256             BYTEA  PRIMARY KEY,  -- of the leaf as presented
    agency             TEXT   NOT NULL REFERENCES agency (code),
    not_after          BIGINT NOT NULL,
    status             TEXT   NOT NULL      -- active or revoked
);

CREATE TABLE used_assertion (
    client             TEXT   NOT NULL,
    jti                TEXT   NOT NULL,     -- single use, kept past its expiry
    expires_at         BIGINT NOT NULL,
    PRIMARY KEY (client, jti)
);
CREATE INDEX used_assertion_by_expiry ON used_assertion (expires_at);

CREATE TABLE submission (
    id                 BYTEA  PRIMARY KEY,  -- UUID, time ordered
    programme          TEXT   NOT NULL REFERENCES programme (code),
    agency             TEXT   NOT NULL REFERENCES agency (code),
    feed               TEXT   NOT NULL,
    agreement          TEXT   NOT NULL,     -- whose supply term covers it
    mode               TEXT   NOT NULL,     -- snapshot (delta is not taken yet)
    rows_mode          TEXT   NOT NULL,     -- all_or_nothing or good_rows
    as_at              BIGINT NOT NULL,     -- the day that the feed describes
    state              TEXT   NOT NULL,     -- staging, staged, publishing, visible, replaced, failed
    digest             BYTEA,               -- SHA-256 of the whole file, once received
    rows_read          BIGINT NOT NULL,
    rows_accepted      BIGINT NOT NULL,
    rows_rejected      BIGINT NOT NULL,
    holds_rows         BIGINT NOT NULL,     -- 1 until its rows are removed
    visible_from       BIGINT NOT NULL,     -- generation range in which its rows are seen
    visible_to         BIGINT NOT NULL,
    failure            TEXT,                -- code, when failed
    received_at        BIGINT NOT NULL,
    finished_at        BIGINT               -- when it became visible, replaced or failed
);
CREATE UNIQUE INDEX submission_once ON submission (agency, feed, digest);
CREATE INDEX submission_by_feed ON submission (programme, agency, feed, visible_to);

CREATE TABLE row_error (
    submission         BYTEA  NOT NULL REFERENCES submission (id),
    row_number         BIGINT NOT NULL,     -- line of the file, the header being line 1
    field              TEXT   NOT NULL,     -- where in the row
    code               TEXT   NOT NULL,     -- what is wrong; never the value
    PRIMARY KEY (submission, row_number, field, code)
);

CREATE TABLE record (
    id                 BIGINT PRIMARY KEY,
    submission         BYTEA  NOT NULL REFERENCES submission (id),
    agency             TEXT   NOT NULL,
    feed               TEXT   NOT NULL,
    reference          TEXT   NOT NULL,     -- the agency's own keyed reference
    restricted         BIGINT NOT NULL,     -- 1 when this agency shields the person
    tokens             BYTEA  NOT NULL,     -- blinded tokens, packed: kind, epoch, 16 bytes each
    households         BYTEA  NOT NULL,     -- blinded household tokens, packed likewise
    evidence           BYTEA  NOT NULL,     -- sealed per row
    UNIQUE (submission, reference)
);

CREATE TABLE token (
    blinded            BYTEA  NOT NULL,
    record             BIGINT NOT NULL,
    PRIMARY KEY (blinded, record)
);

CREATE TABLE household (
    blinded            BYTEA  NOT NULL,
    record             BIGINT NOT NULL,
    PRIMARY KEY (blinded, record)
);

CREATE TABLE link (
    record             BIGINT NOT NULL,
    visible_from       BIGINT NOT NULL,     -- generation range in which this row holds
    visible_to         BIGINT NOT NULL,
    component          BIGINT NOT NULL,     -- smallest record id of the records joined by candidate pairs
    person             BIGINT NOT NULL,     -- a record id that names the cluster over all records
    shielded           BIGINT NOT NULL,     -- 1 when a restriction reaches this record
    PRIMARY KEY (record, visible_from)
);
CREATE INDEX link_by_component ON link (component, visible_to);
CREATE INDEX link_by_end ON link (visible_to);

CREATE TABLE event (
    id                 BYTEA  PRIMARY KEY,  -- UUID, time ordered
    type               TEXT   NOT NULL,     -- entry type
    at                 BIGINT NOT NULL,
    recipient          TEXT,                -- lifted from the body for officers' screens
    agreement          TEXT,
    purpose            TEXT,
    outcome            TEXT,
    leaf_hash          BYTEA  NOT NULL,     -- SHA-256 of 0x00 and the body
    body               BYTEA  NOT NULL      -- the entry, verbatim
);
CREATE INDEX event_by_time ON event (at);

CREATE TABLE log_pending (
    event              BYTEA  PRIMARY KEY,
    leaf_hash          BYTEA  NOT NULL
);

CREATE TABLE log_leaf (
    idx                BIGINT PRIMARY KEY,
    event              BYTEA  NOT NULL UNIQUE,
    leaf_hash          BYTEA  NOT NULL
);

CREATE TABLE log_tile (
    level              BIGINT NOT NULL,
    n                  BIGINT NOT NULL,
    data               BYTEA  NOT NULL,     -- 32 bytes a hash, up to 256
    PRIMARY KEY (level, n)
);

CREATE TABLE log_head (
    id                 BIGINT PRIMARY KEY,  -- always 1: the row that sequencers lock
    origin             TEXT   NOT NULL,     -- the log's name in every checkpoint
    size               BIGINT NOT NULL,
    edge               BYTEA  NOT NULL,     -- right edge of the tree, 32 bytes a hash
    turn               BIGINT NOT NULL      -- grows with every locked step
);

CREATE TABLE log_checkpoint (
    size               BIGINT PRIMARY KEY,
    at                 BIGINT NOT NULL,
    note               TEXT   NOT NULL      -- the signed checkpoint
);

CREATE TABLE opening (
    event              BYTEA  NOT NULL,
    field              TEXT   NOT NULL,     -- which commitment of the entry it opens
    sealed             BYTEA  NOT NULL,     -- salt and value
    PRIMARY KEY (event, field)
);

CREATE TABLE subject_index (
    tag                BYTEA  NOT NULL,     -- keyed tag of a blinded token
    event              BYTEA  NOT NULL,
    PRIMARY KEY (tag, event)
);

CREATE TABLE ceiling (
    agreement          TEXT   NOT NULL,     -- whose receive clause sets it
    clause             TEXT   NOT NULL,
    recipient          TEXT   NOT NULL,
    day                BIGINT NOT NULL,     -- days since 1970, UTC
    used               BIGINT NOT NULL,
    PRIMARY KEY (agreement, clause, recipient, day)
);

CREATE TABLE reply (
    client             TEXT   NOT NULL,
    idempotency_tag    BYTEA  NOT NULL,     -- keyed tag of the caller's Idempotency-Key
    request_hash       BYTEA  NOT NULL,     -- SHA-256 of the request
    event              BYTEA  NOT NULL REFERENCES event (id),  -- whose sealed answer is the reply
    policy_revision    BIGINT NOT NULL,     -- replayed only while nothing was withdrawn since
    generation         BIGINT NOT NULL,
    expires_at         BIGINT NOT NULL,
    PRIMARY KEY (client, idempotency_tag)
);
CREATE INDEX reply_by_expiry ON reply (expires_at);

-- Sealed bytes look random: trying to compress them costs time and gains nothing.
ALTER TABLE opening ALTER COLUMN sealed SET STORAGE EXTERNAL;
-- Rows of a few thousand bytes stay whole in their page: one write each instead of several pieces.
ALTER TABLE opening SET (toast_tuple_target = 8160);
ALTER TABLE event SET (toast_tuple_target = 8160);
