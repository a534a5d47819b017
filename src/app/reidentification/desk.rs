//! Officers and the data team at the console: which person somebody is there, which keys are theirs, a
//! vote that was signed in a browser, and the steps that a request has taken.

use super::ReidError;
use super::record::Doing;
use super::view::{Part, ReidView};
use crate::app::caller::AgencyCaller;
use crate::app::error::AppError;
use crate::app::gateway::Gateway;
use crate::app::log_index::index_log;
use crate::domain::ids::{AgencyCode, EventId, OpaqueRef, ReidentificationId};
use crate::domain::reidentification::refusal::Refusal;
use crate::domain::reidentification::vote::Vote;
use crate::domain::time::Timestamp;
use crate::domain::token::encode_base64url;
use crate::store::{LogQuery, ReidKey, ReidKeyKind};
use crate::tlog::entry::{Body, Entry, Facet, Outcome};

/// The most entries that are looked through for those of one request.
const MOST_ENTRIES: i64 = 5000;
/// For how long after its end entries of a request are looked for, in seconds.
const AFTERWARDS_SECONDS: i64 = 86_400;
/// The type of the entries.
const REID_STEP: &str = "reid.step";

/// Whoever votes at the console, as their session says.
#[derive(Debug, Clone, Copy)]
pub struct Voter<'a> {
    /// On behalf of which agency.
    pub caller: &'a AgencyCaller,
    /// Which person.
    pub person: &'a OpaqueRef,
    /// Whether they proved a moment ago who they are.
    pub is_fresh: bool,
}

/// A step of a request, as the log has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepTaken {
    /// The entry.
    pub entry: EventId,
    /// When.
    pub at: Timestamp,
    /// The word of the step.
    pub step: String,
    /// Whose.
    pub agency: AgencyCode,
    /// Whether the gateway did it by itself.
    pub is_gateways: bool,
    /// Why it was refused, if it was.
    pub refused: Option<Refusal>,
}

impl Gateway {
    /// Which person an account of the console is in votes and requests: always the same, and no name.
    pub fn console_person(&self, account: &str) -> OpaqueRef {
        self.console_reference("person", account)
    }

    /// What stands for a piece of work that somebody names at the console.
    pub fn console_case(&self, work: &str) -> OpaqueRef {
        self.console_reference("case", work)
    }

    fn console_reference(&self, of: &str, text: &str) -> OpaqueRef {
        let text = encode_base64url(&self.keys().tagger.console_reference(of, text));
        OpaqueRef::parse(&text).expect("16 bytes are 22 base64url characters")
    }

    /// The enrolled keys of an officer.
    ///
    /// # Errors
    ///
    /// [`AppError`] from the database.
    pub async fn officer_keys(&self, agency: &AgencyCode, person: &OpaqueRef) -> Result<Vec<ReidKey>, AppError> {
        let mut keys = self.store().reid_keys_of(agency, ReidKeyKind::Officer).await?;
        keys.retain(|key| key.person.as_ref() == Some(person));
        Ok(keys)
    }

    /// The enrolled keys to which identities for an agency are sealed.
    ///
    /// # Errors
    ///
    /// [`AppError`] from the database.
    pub async fn recipient_keys(&self, agency: &AgencyCode) -> Result<Vec<ReidKey>, AppError> {
        Ok(self.store().reid_keys_of(agency, ReidKeyKind::Recipient).await?)
    }

    /// Takes a vote that was signed at the console: by the person who is signed in, who has just proved
    /// who they are.
    ///
    /// # Errors
    ///
    /// [`ReidError`]; every refusal is in the log.
    pub async fn vote_at_console(
        &self,
        voter: Voter<'_>,
        id: ReidentificationId,
        vote: &Vote,
    ) -> Result<ReidView, ReidError> {
        let is_theirs = vote.person == *voter.person && vote.agency == voter.caller.agency;
        let refusal = match (is_theirs, voter.is_fresh) {
            (true, true) => return self.vote_reidentification(voter.caller, id, vote).await,
            (false, _) => Refusal::WrongRole,
            (true, false) => Refusal::StaleSignIn,
        };
        let doing = Doing::new(voter.caller, vote.choice.as_str()).with_key(&vote.key_id);
        let opened = self.open_reid(id).await?;
        let part = match &opened {
            Some(opened) => self.part_in(voter.caller, opened).await?,
            None => None,
        };
        // Whoever has no part learns from no refusal that there is such a request.
        let refusal = if part.is_some() { refusal } else { Refusal::Unknown };
        Err(self.refuse_reid(doing, opened.as_ref().filter(|_| part.is_some()), refusal).await)
    }

    /// The steps of a request in which the caller has a part, oldest first, as far as they have their place
    /// in the log.
    ///
    /// # Errors
    ///
    /// [`ReidError`] from the database.
    pub async fn reidentification_steps(
        &self,
        caller: &AgencyCaller,
        id: ReidentificationId,
    ) -> Result<Vec<StepTaken>, ReidError> {
        let Some(opened) = self.open_reid(id).await? else { return Ok(Vec::new()) };
        if self.part_in(caller, &opened).await?.is_none() {
            return Ok(Vec::new());
        }
        index_log(self.store()).await?;
        let query = LogQuery {
            before: u64::MAX,
            since: opened.request.at,
            until: opened.request.expires_at.plus_seconds(AFTERWARDS_SECONDS),
            filters: vec![
                (Facet::Agency.as_str(), opened.request.source.to_string()),
                (Facet::Kind.as_str(), REID_STEP.to_owned()),
            ],
            limit: MOST_ENTRIES,
        };
        let mut steps = Vec::new();
        for found in self.store().find_entries(&query).await? {
            let Ok(entry) = Entry::parse(&found.body) else { continue };
            let Body::ReidStep(step) = entry.body() else { continue };
            // That a source looked says that it has such a record: its own affair until it acts.
            let is_hidden = step.step.as_str() == "show"
                && step.agency == opened.stored.source
                && caller.agency != opened.stored.source;
            if step.request != Some(id) || is_hidden {
                continue;
            }
            steps.push(StepTaken {
                entry: found.event,
                at: entry.at(),
                step: step.step.to_string(),
                agency: step.agency.clone(),
                is_gateways: step.client.as_str() == "gateway",
                refused: match &step.outcome {
                    Outcome::Answered => None,
                    Outcome::Refused(code) => Refusal::parse(code.as_str()),
                },
            });
        }
        steps.reverse();
        Ok(steps)
    }

    /// What part a caller has in a request; nothing is shown, so nothing is logged.
    ///
    /// # Errors
    ///
    /// [`ReidError`] from the database.
    pub async fn part_in_reidentification(
        &self,
        caller: &AgencyCaller,
        id: ReidentificationId,
    ) -> Result<Option<Part>, ReidError> {
        match self.open_reid(id).await? {
            Some(opened) => self.part_in(caller, &opened).await,
            None => Ok(None),
        }
    }
}
