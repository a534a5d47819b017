//! Requests to learn who somebody is, the keys that may sign for them, and officers' votes.

use super::statements::{ListStatement, statements};
use super::value::{Row, values};
use super::{Store, StoreError, Tx};
use crate::domain::ids::{AgencyCode, EventId, OpaqueRef, ProgrammeCode, ReidentificationId};
use crate::domain::reidentification::binding::{self, Hash32};
use crate::domain::reidentification::state::State;
use crate::domain::reidentification::vote::Vote;
use crate::domain::time::Timestamp;

pub(super) static DROP_REID_VOTES: ListStatement = ListStatement::new(
    "DELETE FROM reid_vote WHERE request IN (SELECT id FROM reid_request WHERE entry IN ({list}))",
    0,
);
pub(super) static DROP_REIDS: ListStatement = ListStatement::new("DELETE FROM reid_request WHERE entry IN ({list})", 0);

statements! {
    ADD_KEY = "INSERT INTO reid_key (key_id, kind, agency, person, sign_key, seal_key, enrolled_at, revoked_at)
               VALUES ($1, $2, $3, $4, $5, $6, $7, 0)";
    REVOKE_KEY = "UPDATE reid_key SET revoked_at = $2 WHERE key_id = $1 AND revoked_at = 0";
    KEY = "SELECT key_id, kind, agency, person, sign_key, seal_key FROM reid_key WHERE key_id = $1 AND revoked_at = 0";
    KEY_EVER = "SELECT key_id, kind, agency, person, sign_key, seal_key FROM reid_key WHERE key_id = $1";
    KEYS_OF = "SELECT key_id, kind, agency, person, sign_key, seal_key FROM reid_key
               WHERE agency = $1 AND kind = $2 AND revoked_at = 0 ORDER BY enrolled_at, key_id";
    ADD = "INSERT INTO reid_request (id, entry, programme, requester, client, source, idempotency_key, body_tag,
                                     request_sha256, sealed, stage, state, revision, created_at, expires_at, envelope)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 0, $13, $14, NULL)
           ON CONFLICT (client, idempotency_key) DO NOTHING";
    ONE = "SELECT id, programme, requester, client, source, body_tag, request_sha256, sealed, state, revision,
                  expires_at, envelope FROM reid_request WHERE id = $1";
    OF_KEY = "SELECT id, programme, requester, client, source, body_tag, request_sha256, sealed, state, revision,
                     expires_at, envelope FROM reid_request WHERE client = $1 AND idempotency_key = $2";
    OPEN = "SELECT id, programme, requester, client, source, body_tag, request_sha256, sealed, state, revision,
                   expires_at, envelope FROM reid_request
            WHERE programme = $1 AND stage IN ('voting', 'authorised', 'certified', 'answered', 'collected')
            ORDER BY id LIMIT $2";
    MOVE = "UPDATE reid_request SET stage = $3, state = $4, sealed = $5, envelope = $6, revision = revision + 1
            WHERE id = $1 AND revision = $2";
    SEALED_PAGE = "SELECT id, sealed FROM reid_request WHERE id > $1 ORDER BY id LIMIT $2";
    REPLACE_SEALED = "UPDATE reid_request SET sealed = $3 WHERE id = $1 AND sealed = $2";
    VOTES = "SELECT vote FROM reid_vote WHERE request = $1 ORDER BY agency, person";
    PUT_VOTE = "INSERT INTO reid_vote (request, agency, person, choice, at, vote) VALUES ($1, $2, $3, $4, $5, $6)
                ON CONFLICT (request, agency, person) DO UPDATE SET choice = excluded.choice, at = excluded.at,
                    vote = excluded.vote WHERE excluded.at > reid_vote.at";
}

/// What an enrolled key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReidKeyKind {
    /// Votes on requests; at a source, also signs answers.
    Officer,
    /// Identities are sealed to it; it signs receipts.
    Recipient,
}

impl ReidKeyKind {
    /// The word in the table.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Officer => "officer",
            Self::Recipient => "recipient",
        }
    }
}

/// An enrolled key that is not revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReidKey {
    /// Follows from the key.
    pub key_id: String,
    /// What it may do.
    pub kind: ReidKeyKind,
    /// Whose.
    pub agency: AgencyCode,
    /// An officer: the agency's own keyed reference of the person.
    pub person: Option<OpaqueRef>,
    /// Ed25519.
    pub sign_key: [u8; 32],
    /// X25519, of a recipient.
    pub seal_key: Option<[u8; 32]>,
}

/// A request as it comes in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewReid {
    /// Its id.
    pub id: ReidentificationId,
    /// The log entry that it came in with.
    pub entry: EventId,
    /// The programme.
    pub programme: ProgrammeCode,
    /// Who asks.
    pub requester: AgencyCode,
    /// Through which system.
    pub client: String,
    /// Who is asked.
    pub source: AgencyCode,
    /// The client's name for the call.
    pub idempotency_key: String,
    /// Tells the same call under that name from another.
    pub body_tag: [u8; 32],
    /// SHA-256 of the canonical text.
    pub request_sha256: Hash32,
    /// Everything else, sealed.
    pub sealed: Vec<u8>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Until when it may go on.
    pub expires_at: Timestamp,
}

/// A request as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredReid {
    /// Its id.
    pub id: ReidentificationId,
    /// The programme.
    pub programme: ProgrammeCode,
    /// Who asks.
    pub requester: AgencyCode,
    /// Through which system.
    pub client: String,
    /// Who is asked.
    pub source: AgencyCode,
    /// Tells the same call from another.
    pub body_tag: [u8; 32],
    /// SHA-256 of the canonical text.
    pub request_sha256: Hash32,
    /// Everything else, sealed.
    pub sealed: Vec<u8>,
    /// Where it is.
    pub state: State,
    /// Compared and set with every step.
    pub revision: i64,
    /// Until when it may go on.
    pub expires_at: Timestamp,
    /// The source's answer, while it waits.
    pub envelope: Option<Vec<u8>>,
}

impl ReidKey {
    /// The id that a key of this kind, agency and person has.
    pub fn id(&self) -> String {
        binding::key_id(self.kind.as_str(), &self.agency, self.person.as_ref(), &self.sign_key, self.seal_key.as_ref())
    }
}

impl Store {
    /// An enrolled key that is not revoked.
    pub async fn reid_key(&self, key_id: &str) -> Result<Option<ReidKey>, StoreError> {
        self.fetch_optional(KEY, values![key_id]).await?.as_ref().map(read_key).transpose()
    }

    /// A key that is or was enrolled: for what was signed with it before it was revoked.
    pub async fn reid_key_ever(&self, key_id: &str) -> Result<Option<ReidKey>, StoreError> {
        self.fetch_optional(KEY_EVER, values![key_id]).await?.as_ref().map(read_key).transpose()
    }

    /// The keys of an agency that are enrolled for something and not revoked, oldest first.
    pub async fn reid_keys_of(&self, agency: &AgencyCode, kind: ReidKeyKind) -> Result<Vec<ReidKey>, StoreError> {
        self.fetch_all(KEYS_OF, values![agency.as_str(), kind.as_str()]).await?.iter().map(read_key).collect()
    }

    /// A request by id.
    pub async fn reid(&self, id: ReidentificationId) -> Result<Option<StoredReid>, StoreError> {
        self.fetch_optional(ONE, values![id.as_bytes()]).await?.as_ref().map(read_request).transpose()
    }

    /// The request that an earlier call of the same name made.
    pub async fn reid_of_key(&self, client: &str, key: &str) -> Result<Option<StoredReid>, StoreError> {
        self.fetch_optional(OF_KEY, values![client, key]).await?.as_ref().map(read_request).transpose()
    }

    /// The requests that are not over, oldest first.
    pub async fn open_reids(&self, programme: &ProgrammeCode, limit: i64) -> Result<Vec<StoredReid>, StoreError> {
        self.fetch_all(OPEN, values![programme.as_str(), limit]).await?.iter().map(read_request).collect()
    }

    /// The newest vote of each person on a request, by agency and person.
    pub async fn reid_votes(&self, id: ReidentificationId) -> Result<Vec<Vote>, StoreError> {
        self.fetch_all(VOTES, values![id.as_bytes()]).await?.iter().map(read_vote).collect()
    }

    /// Sealed columns after an id, for sealing again under another key.
    pub async fn sealed_reids(
        &self,
        after: &[u8; 16],
        limit: i64,
    ) -> Result<Vec<(ReidentificationId, Vec<u8>)>, StoreError> {
        let rows = self.fetch_all(SEALED_PAGE, values![after, limit]).await?;
        rows.iter().map(|row| Ok((id_of(row)?, row.bytes(1)?))).collect()
    }
}

impl Tx {
    /// Enrols a key.
    ///
    /// # Errors
    ///
    /// [`StoreError::Conflict`] when it is enrolled already.
    pub async fn add_reid_key(&mut self, key: &ReidKey, now: Timestamp) -> Result<(), StoreError> {
        let person = key.person.as_ref().map_or("", OpaqueRef::as_str);
        let seal: &[u8] = key.seal_key.as_ref().map_or(&[], |key| &key[..]);
        let values =
            values![&key.key_id, key.kind.as_str(), key.agency.as_str(), person, &key.sign_key, seal, now.as_micros()];
        self.execute(ADD_KEY, values).await.map(drop)
    }

    /// Revokes a key for good. False when none that is not revoked has that id.
    pub async fn revoke_reid_key(&mut self, key_id: &str, now: Timestamp) -> Result<bool, StoreError> {
        Ok(self.execute(REVOKE_KEY, values![key_id, now.as_micros()]).await? == 1)
    }

    /// An enrolled key that is not revoked, as this transaction sees it.
    pub async fn reid_key(&mut self, key_id: &str) -> Result<Option<ReidKey>, StoreError> {
        self.fetch_optional(KEY, values![key_id]).await?.as_ref().map(read_key).transpose()
    }

    /// Takes in a request, at its first state. False when the call's name is taken.
    pub async fn add_reid(&mut self, new: &NewReid) -> Result<bool, StoreError> {
        let state = State::Voting {};
        let text = state_text(&state)?;
        let values = values![
            new.id.as_bytes(),
            new.entry.as_bytes(),
            new.programme.as_str(),
            new.requester.as_str(),
            &new.client,
            new.source.as_str(),
            &new.idempotency_key,
            &new.body_tag,
            new.request_sha256.as_bytes(),
            &new.sealed,
            state.word(),
            &text,
            new.created_at.as_micros(),
            new.expires_at.as_micros()
        ];
        Ok(self.execute(ADD, values).await? == 1)
    }

    /// Moves a request on from the revision that the step was decided on. False when somebody else
    /// moved it meanwhile: nothing is changed then.
    pub async fn move_reid(
        &mut self,
        from: &StoredReid,
        to: &State,
        sealed: &[u8],
        envelope: Option<&[u8]>,
    ) -> Result<bool, StoreError> {
        let text = state_text(to)?;
        let values = values![from.id.as_bytes(), from.revision, to.word(), &text, sealed, envelope];
        Ok(self.execute(MOVE, values).await? == 1)
    }

    /// Keeps a person's newest vote. False when one that was signed at the same time or later is there.
    pub async fn put_reid_vote(&mut self, id: ReidentificationId, vote: &Vote) -> Result<bool, StoreError> {
        let text = serde_json::to_string(vote).map_err(|_| StoreError::Corrupt("a vote"))?;
        let values = values![
            id.as_bytes(),
            vote.agency.as_str(),
            vote.person.as_str(),
            vote.choice.as_str(),
            vote.at.as_micros(),
            &text
        ];
        Ok(self.execute(PUT_VOTE, values).await? == 1)
    }

    /// Puts a column that was sealed again in the place of what it was.
    pub async fn replace_sealed_reid(
        &mut self,
        id: ReidentificationId,
        was: &[u8],
        sealed: &[u8],
    ) -> Result<(), StoreError> {
        self.execute(REPLACE_SEALED, values![id.as_bytes(), was, sealed]).await.map(drop)
    }
}

fn state_text(state: &State) -> Result<String, StoreError> {
    serde_json::to_string(state).map_err(|_| StoreError::Corrupt("a state"))
}

fn id_of(row: &Row) -> Result<ReidentificationId, StoreError> {
    ReidentificationId::from_slice(&row.bytes(0)?).map_err(|_| StoreError::Corrupt("re-identification id"))
}

fn read_vote(row: &Row) -> Result<Vote, StoreError> {
    serde_json::from_str(&row.text(0)?).map_err(|_| StoreError::Corrupt("a vote"))
}

fn read_key(row: &Row) -> Result<ReidKey, StoreError> {
    let (kind, person, seal) = (row.text(1)?, row.text(3)?, row.bytes(5)?);
    let kind = match kind.as_str() {
        "officer" => ReidKeyKind::Officer,
        "recipient" => ReidKeyKind::Recipient,
        _ => return Err(StoreError::Corrupt("the kind of a key")),
    };
    let person = Some(person).filter(|text| !text.is_empty()).map(|text| OpaqueRef::parse(&text)).transpose();
    let seal = Some(seal).filter(|bytes| !bytes.is_empty()).map(<[u8; 32]>::try_from).transpose();
    Ok(ReidKey {
        key_id: row.text(0)?,
        kind,
        agency: row.parsed(2, "agency")?,
        person: person.map_err(|_| StoreError::Corrupt("an officer"))?,
        sign_key: row.array(4, "signing key")?,
        seal_key: seal.map_err(|_| StoreError::Corrupt("sealing key"))?,
    })
}

fn read_request(row: &Row) -> Result<StoredReid, StoreError> {
    Ok(StoredReid {
        id: id_of(row)?,
        programme: row.parsed(1, "programme")?,
        requester: row.parsed(2, "agency")?,
        client: row.text(3)?,
        source: row.parsed(4, "agency")?,
        body_tag: row.array(5, "tag")?,
        request_sha256: Hash32::new(row.array(6, "request hash")?),
        sealed: row.bytes(7)?,
        state: serde_json::from_str(&row.text(8)?).map_err(|_| StoreError::Corrupt("a state"))?,
        revision: row.int(9)?,
        expires_at: Timestamp::from_micros(row.int(10)?),
        envelope: row.optional_bytes(11)?,
    })
}
