//! An agency's system shows on the test people that it makes the tokens that it should, before it
//! delivers anything: a hash value that merely looks like a token is found out here and nowhere else.

use std::collections::BTreeMap;

use super::caller::AgencyCaller;
use super::enrol::key_event;
use super::error::AppError;
use super::gateway::Gateway;
use super::policies::{NORM, Policies};
use crate::domain::ids::TokenType;
use crate::domain::submission::Header;
use crate::domain::time::Timestamp;
use crate::domain::token_check::{MOST_TEST_PEOPLE, TokenCheck, TypeOutcome, digests};

/// Why a check cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum TokenCheckError {
    /// Another programme, other match keys, or more people than the list has.
    #[error("the check is of another programme, of other match keys, or of people who are not in the list")]
    Form,
    /// The key custodian registered nothing for the epoch.
    #[error("the key custodian has registered no tokens of the test people for this epoch")]
    Unregistered,
    /// Something failed inside.
    #[error(transparent)]
    App(#[from] AppError),
}

impl Gateway {
    /// Compares the tokens that an agency's system makes of the test people with the registered ones,
    /// and keeps what came of it. An outcome follows for each type that the agency's agreements give it.
    ///
    /// # Errors
    ///
    /// [`TokenCheckError`]; nothing changes then.
    pub async fn check_tokens(
        &self,
        caller: &AgencyCaller,
        check: &TokenCheck,
    ) -> Result<BTreeMap<TokenType, TypeOutcome>, TokenCheckError> {
        let policies = self.current_policies().await?;
        let is_of_ours = check.programme == *self.programme() && check.match_keys == policies.match_keys_sha256_hex();
        if !is_of_ours || check.people.len() > MOST_TEST_PEOPLE {
            return Err(TokenCheckError::Form);
        }
        let made = digests(&check.people);
        let granted = policies.granted_types(&caller.agency);
        let outcome = |token_type: &TokenType| {
            let registered = policies.test_tokens(check.epoch, token_type)?;
            Some(match made.get(token_type) {
                None => TypeOutcome::Missing,
                Some(digest) if digest == registered => TypeOutcome::Equal,
                Some(_) => TypeOutcome::Differs,
            })
        };
        let outcomes: BTreeMap<TokenType, TypeOutcome> =
            granted.iter().filter_map(|token_type| Some((token_type.clone(), outcome(token_type)?))).collect();
        if outcomes.is_empty() {
            return Err(TokenCheckError::Unregistered);
        }
        self.keep_outcomes(caller, check.epoch, &outcomes).await?;
        Ok(outcomes)
    }

    /// A type that differs now loses an earlier pass: the system was changed since. One that was left
    /// out keeps it.
    async fn keep_outcomes(
        &self,
        caller: &AgencyCaller,
        epoch: u32,
        outcomes: &BTreeMap<TokenType, TypeOutcome>,
    ) -> Result<(), AppError> {
        let mut tx = self.store().begin().await?;
        let now = tx.now().await?;
        let whose = (self.programme(), caller.client.as_str());
        for (token_type, outcome) in outcomes {
            let passed_at = match outcome {
                TypeOutcome::Equal => Some(now),
                TypeOutcome::Differs => None,
                TypeOutcome::Missing => continue,
            };
            tx.note_token_check(whose, (epoch, token_type, NORM), passed_at).await?;
        }
        let has = |wanted| outcomes.values().any(|outcome| *outcome == wanted);
        let action = match (has(TypeOutcome::Differs), has(TypeOutcome::Missing), has(TypeOutcome::Equal)) {
            (true, ..) => "differed",
            (false, true, true) => "incomplete",
            (false, false, _) => "passed",
            (false, true, false) => return Ok(()), // nothing was sent: nothing is noted
        };
        let key = format!("{}/epoch-{epoch}", caller.agency);
        let body = key_event(&key, "test-tokens", action, None, &caller.client, "token-check")?;
        tx.add_events(&[&self.event(now, body)?]).await?;
        tx.commit().await?;
        self.wake_sequencer();
        Ok(())
    }

    /// Whether the calling system has shown, for every epoch and type of a header, that it makes the
    /// right tokens. Types of old hash values need it always, all others once something is registered.
    pub(super) async fn has_checked_tokens(
        &self,
        caller: &AgencyCaller,
        header: &Header,
        policies: &Policies,
        now: Timestamp,
    ) -> Result<bool, AppError> {
        let takes_legacy = policies.takes_legacy_tokens(&header.agency, &header.agreement, now);
        let needed: Vec<(u32, &TokenType)> = needed_checks(header, policies, takes_legacy).collect();
        if needed.is_empty() {
            return Ok(true);
        }
        let passed = self.store().token_checks(self.programme(), &caller.client, NORM).await?;
        Ok(needed.into_iter().all(|(epoch, token_type)| passed.contains(&(epoch, token_type.clone()))))
    }
}

fn needed_checks<'a>(
    header: &'a Header,
    policies: &'a Policies,
    takes_legacy: bool,
) -> impl Iterator<Item = (u32, &'a TokenType)> {
    let types = header.epochs.iter().flat_map(|keys| keys.key_checks.keys().map(|name| (keys.epoch, name)));
    types.filter(move |(epoch, name)| {
        let is_legacy = policies.match_keys().is_legacy(name);
        // Where the agreement takes no old hash values, no such token is taken anyhow.
        if is_legacy { takes_legacy } else { policies.test_tokens(*epoch, name).is_some() }
    })
}
