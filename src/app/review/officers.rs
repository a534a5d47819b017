//! Who may review, and whether this officer may review this disclosure.

use serde::Deserialize;

use super::super::enrol::code;
use super::super::error::AppError;
use super::super::gateway::Gateway;
use super::super::log_index::index_log;
use super::super::policies::hex;
use super::ReviewError;
use crate::domain::ids::{AgencyCode, OpaqueRef};
use crate::store::{StoreError, StoredOfficer};
use crate::tlog::canonical;
use crate::tlog::entry::{Body, EntryFacts, ReviewOfficer};

/// Entries that are read at a time.
const PAGE: i64 = 500;
/// Statuses to which nobody moves an agreement by approving it.
const NO_APPROVAL: [&str; 3] = ["suspended", "withdrawn", "expired"];

/// A registered reviewing officer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Officer {
    /// The account; never a person's name.
    pub account: String,
    /// The officer's agency.
    pub agency: AgencyCode,
    /// Signatory keys that are the officer's own.
    pub keys: Vec<String>,
    /// Clients that the officer asks through.
    pub clients: Vec<String>,
    /// Keyed tags of the officer's own references as a user.
    users: Vec<String>,
    /// Whether the registration stands.
    pub is_registered: bool,
}

/// An officer to be registered.
#[derive(Debug, Clone)]
pub struct NewOfficer {
    /// The account; never a person's name.
    pub account: String,
    /// The officer's agency.
    pub agency: AgencyCode,
    /// Signatory keys that are the officer's own.
    pub keys: Vec<String>,
    /// Clients that the officer asks through.
    pub clients: Vec<String>,
    /// The officer's own references as a user, as the agency makes them. Without any, disclosures to the
    /// officer's own agency cannot be reviewed by this officer.
    pub users: Vec<OpaqueRef>,
}

/// A field that says who had a part in an agreement, in whichever type of entry.
#[derive(Deserialize)]
struct Part {
    #[serde(default)]
    agreement: Option<String>,
    #[serde(default)]
    to: Option<serde_json::Value>,
    #[serde(default)]
    key: Option<String>,
    #[serde(default)]
    by: Option<String>,
    #[serde(default)]
    second: Option<String>,
    #[serde(default)]
    officer: Option<String>,
}

impl Gateway {
    /// Registers a reviewing officer, or changes what is registered of one.
    ///
    /// # Errors
    ///
    /// [`ReviewError::OwnRegistration`]; [`AppError::Policy`] when the agency is not one of the programme.
    pub async fn register_officer(&self, new: &NewOfficer, by: &str, reason: &str) -> Result<(), ReviewError> {
        if new.account == by {
            return Err(ReviewError::OwnRegistration);
        }
        if self.current_policies().await?.agency(&new.agency).is_none() {
            return Err(AppError::Policy(format!("the programme has no agency {}", new.agency)).into());
        }
        let tag = |user: &OpaqueRef| hex(&self.keys().tagger.officer(new.agency.as_str(), user.as_str()));
        let officer = Officer {
            account: new.account.clone(),
            agency: new.agency.clone(),
            keys: new.keys.clone(),
            clients: new.clients.clone(),
            users: new.users.iter().map(tag).collect(),
            is_registered: true,
        };
        self.keep_officer(&officer, "registered", by, reason).await
    }

    /// Ends a registration: from now on the account reviews nothing.
    ///
    /// # Errors
    ///
    /// [`ReviewError::NotOfficer`].
    pub async fn end_officer(&self, account: &str, by: &str, reason: &str) -> Result<(), ReviewError> {
        let officer = self.officer(account).await?;
        self.keep_officer(&Officer { is_registered: false, ..officer }, "ended", by, reason).await
    }

    async fn keep_officer(&self, officer: &Officer, action: &str, by: &str, reason: &str) -> Result<(), ReviewError> {
        let codes = |texts: &[String]| {
            let mut codes = texts.iter().map(|text| code(text)).collect::<Result<Vec<_>, _>>()?;
            codes.sort();
            codes.dedup();
            Ok::<_, AppError>(codes)
        };
        let body = Body::ReviewOfficer(ReviewOfficer {
            account: code(&officer.account)?,
            agency: officer.agency.clone(),
            action: code(action)?,
            keys: codes(&officer.keys)?,
            clients: codes(&officer.clients)?,
            has_user_references: (!officer.users.is_empty()).into(),
            by: code(by)?,
            reason: code(reason)?,
        });
        let mut tx = self.store().begin().await?;
        let now = tx.now().await?;
        tx.put_review_officer(&stored(officer, action), now).await?;
        tx.add_events(&[&self.event(now, body)?]).await?;
        tx.commit().await?;
        self.wake_sequencer();
        Ok(())
    }

    /// A registered officer.
    ///
    /// # Errors
    ///
    /// [`ReviewError::NotOfficer`] when the account is not one, or is one no longer.
    pub async fn officer(&self, account: &str) -> Result<Officer, ReviewError> {
        let found = self.store().review_officer(account).await?;
        let officer = found.as_ref().map(officer_of).transpose()?;
        officer.filter(|officer| officer.is_registered).ok_or(ReviewError::NotOfficer)
    }

    /// Every officer, those whose registration ended among them.
    ///
    /// # Errors
    ///
    /// [`ReviewError`] from the database.
    pub async fn officers(&self) -> Result<Vec<Officer>, ReviewError> {
        let found = self.store().review_officers().await?;
        found.iter().map(|stored| officer_of(stored).map_err(ReviewError::from)).collect()
    }

    /// Refuses an officer who asked for a disclosure or approved an agreement that it went under.
    ///
    /// Who asked is an account, a client, or a user whose reference only the agency makes. Where the
    /// officer is of the agency that asked, it has to be shown that somebody else did; where that
    /// cannot be shown, somebody of another agency has to review.
    pub(super) async fn check_independent(&self, officer: &Officer, facts: &EntryFacts) -> Result<(), ReviewError> {
        let is_account = |text: &Option<String>| text.as_deref() == Some(officer.account.as_str());
        let is_client = facts.client.as_ref().is_some_and(|client| officer.clients.contains(client));
        if is_account(&facts.by) || is_account(&facts.client) || is_client {
            return Err(ReviewError::Requester);
        }
        let actor = self.actor_tag(facts, &officer.agency).await?;
        let is_user = actor.as_ref().is_some_and(|actor| officer.users.contains(actor));
        let is_own_agency = facts.agency.as_ref() == Some(&officer.agency);
        if is_user || (is_own_agency && (officer.users.is_empty() || actor.is_none())) {
            return Err(ReviewError::Requester);
        }
        if self.has_approved(officer, facts).await? { Err(ReviewError::Approver) } else { Ok(()) }
    }

    /// The keyed tag of the user who asked; `None` where the entry has none, or its opening is gone.
    async fn actor_tag(&self, facts: &EntryFacts, agency: &AgencyCode) -> Result<Option<String>, ReviewError> {
        let Some(sealed) = self.store().sealed_entry(facts.event, "actor").await? else { return Ok(None) };
        let actor = self.open_field(facts.event, "actor", &sealed.sealed)?;
        let actor = std::str::from_utf8(&actor).map_err(|_| StoreError::Corrupt("an actor"))?;
        Ok(Some(hex(&self.keys().tagger.officer(agency.as_str(), actor))))
    }

    /// Whether the officer signed, or put in force, an agreement that an entry names: read from the log,
    /// so that a signature which was replaced since counts too.
    async fn has_approved(&self, officer: &Officer, facts: &EntryFacts) -> Result<bool, ReviewError> {
        let named: Vec<String> = facts.agreements.iter().map(ToString::to_string).collect();
        let size = index_log(self.store()).await?;
        for kind in Body::KINDS.iter().filter(|kind| kind.starts_with("agreement.")) {
            let mut from = 0;
            loop {
                let page = self.store().entries_of_type(kind, from, size, PAGE).await?;
                let Some(last) = page.last() else { break };
                from = last.index + 1;
                for entry in &page {
                    let envelope = canonical::envelope(&entry.body).map_err(|_| StoreError::Corrupt("a log entry"))?;
                    let part = serde_json::from_str(envelope.body).map_err(|_| StoreError::Corrupt("a log entry"))?;
                    if is_approval_by(officer, &named, &part) {
                        return Ok(true);
                    }
                }
            }
        }
        Ok(false)
    }
}

fn is_approval_by(officer: &Officer, named: &[String], part: &Part) -> bool {
    let ends = part.to.as_ref().and_then(serde_json::Value::as_str).is_some_and(|to| NO_APPROVAL.contains(&to));
    let is_named = part.agreement.as_ref().is_some_and(|agreement| named.contains(agreement));
    let accounts = [&part.by, &part.second, &part.officer];
    let is_own = accounts.into_iter().flatten().any(|account| *account == officer.account)
        || part.key.as_ref().is_some_and(|key| officer.keys.contains(key));
    is_named && is_own && !ends
}

fn stored(officer: &Officer, status: &str) -> StoredOfficer {
    let list = |texts: &[String]| serde_json::Value::from(texts.to_vec()).to_string();
    StoredOfficer {
        account: officer.account.clone(),
        agency: officer.agency.clone(),
        signatory_keys: list(&officer.keys),
        clients: list(&officer.clients),
        user_tags: list(&officer.users),
        status: status.to_owned(),
    }
}

fn officer_of(stored: &StoredOfficer) -> Result<Officer, StoreError> {
    let list = |text: &str| serde_json::from_str(text).map_err(|_| StoreError::Corrupt("a reviewing officer"));
    Ok(Officer {
        account: stored.account.clone(),
        agency: stored.agency.clone(),
        keys: list(&stored.signatory_keys)?,
        clients: list(&stored.clients)?,
        users: list(&stored.user_tags)?,
        is_registered: stored.status == "registered",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_signed_or_put_in_force_has_approved_and_who_suspended_has_not() {
        let officer = Officer {
            account: "ig-1".to_owned(),
            agency: AgencyCode::parse("programme-team").expect("a code"),
            keys: vec!["seal-9".to_owned()],
            clients: Vec::new(),
            users: Vec::new(),
            is_registered: true,
        };
        let named = ["core/v1".to_owned()];
        let is = |json: serde_json::Value| {
            let part: Part = serde_json::from_value(json).expect("a part");
            is_approval_by(&officer, &named, &part)
        };
        assert!(is(serde_json::json!({ "agreement": "core/v1", "key": "seal-9" })));
        assert!(is(serde_json::json!({ "agreement": "core/v1", "by": "ig-1", "to": "in_force" })));
        assert!(is(serde_json::json!({ "agreement": "core/v1", "by": "ig-2", "second": "ig-1", "to": "in_force" })));
        assert!(!is(serde_json::json!({ "agreement": "core/v1", "by": "ig-1", "to": "suspended" })));
        assert!(!is(serde_json::json!({ "agreement": "core/v2", "key": "seal-9" })));
        assert!(!is(serde_json::json!({ "agreement": "core/v1", "key": "seal-8", "by": "ig-2" })));
    }
}
