//! The log entry of a table: everything in clear, because nothing in it is about a person.

use super::Asked;
use crate::app::enquire::log_entry::{decision, feeds_of};
use crate::app::error::AppError;
use crate::app::gateway::Gateway;
use crate::domain::statistics::table::Table;
use crate::policy::decision::{self, Permitted};
use crate::policy::rules::RuleHit;
use crate::store::{NewEvent, StoredRelease};
use crate::tlog::digest::Digest;
use crate::tlog::entry::{Body, Code, Outcome, Statistics};

impl Gateway {
    /// The entry of a table that leaves, and the one that is written in its stead when the day's
    /// ceiling is reached. Only one of them is ever written, so they share the event's id.
    pub(super) fn table_entries(
        &self,
        asked: &Asked<'_>,
        permitted: &Permitted,
        release: &StoredRelease,
        table: &Table,
    ) -> Result<(NewEvent, NewEvent), AppError> {
        let json = serde_json::to_vec(table).map_err(|_| AppError::Internal("a table cannot be written"))?;
        let refusal = body(asked, &permitted.decisions, Outcome::Refused(code("ceiling")?))?;
        let given = Statistics {
            release: Some(release.number.unsigned_abs()),
            as_at: Some(release.as_at),
            table_sha256: Some(Digest::of(&json)),
            outcome: Outcome::Answered,
            ..refusal.clone()
        };
        let given = self.table_event(asked, given)?;
        let refusal = Body::Statistics(Box::new(refusal));
        let refusal = described(self.event_with_id(given.id, asked.view.now, refusal)?, asked, "refused");
        Ok((given, refusal))
    }

    /// The entry of a refusal by agreement.
    pub(super) fn refused_table_entry(
        &self,
        asked: &Asked<'_>,
        hits: &[RuleHit],
        decisions: &[decision::Decision],
    ) -> Result<NewEvent, AppError> {
        let reason = code(hits.first().map_or("refused", |hit| &hit.rule))?;
        self.table_event(asked, body(asked, decisions, Outcome::Refused(reason))?)
    }

    fn table_event(&self, asked: &Asked<'_>, statistics: Statistics) -> Result<NewEvent, AppError> {
        let outcome = if statistics.outcome == Outcome::Answered { "answered" } else { "refused" };
        let event = self.event(asked.view.now, Body::Statistics(Box::new(statistics)))?;
        Ok(described(event, asked, outcome))
    }
}

fn described(mut event: NewEvent, asked: &Asked<'_>, outcome: &str) -> NewEvent {
    event.recipient = Some(asked.caller.agency.to_string());
    event.agreement = Some(asked.wanted.agreement.to_string());
    event.purpose = Some(asked.wanted.purpose.to_string());
    event.outcome = Some(outcome.to_owned());
    event
}

fn body(asked: &Asked<'_>, decisions: &[decision::Decision], outcome: Outcome) -> Result<Statistics, AppError> {
    let Asked { caller, wanted, policies, profile, view, .. } = asked;
    let agreement = policies.book().agreement(&wanted.agreement).map(|agreement| &agreement.text);
    let version = policies.programme().criteria_at(view.now.date());
    Ok(Statistics {
        table: code(&wanted.table)?,
        profile: code(profile.name().as_str())?,
        rule: code(&profile.code())?,
        release: None,
        as_at: None,
        table_sha256: None,
        recipient: caller.agency.clone(),
        client: code(&caller.client)?,
        agreement: agreement.map(|text| text.reference().clone()),
        agreement_sha256: agreement.map(|text| Digest::new(*text.hash().as_bytes())),
        rules_sha256: Digest::new(*policies.book().rules().hash().as_bytes()),
        programme_sha256: Digest::new(*policies.programme_sha256()),
        agencies_sha256: policies.agencies_sha256(),
        match_keys_sha256: Digest::new(*policies.match_keys().sha256()),
        criteria_version: code(&version.name())?,
        purpose: wanted.purpose.clone(),
        role: wanted.role.clone(),
        outcome,
        decisions: decisions.iter().map(decision).collect::<Result<_, _>>()?,
        feeds: feeds_of(asked.policies, asked.feeds, asked.view, &decisions.iter().collect::<Vec<_>>()),
    })
}

fn code(text: &str) -> Result<Code, AppError> {
    text.parse().map_err(|_| AppError::Internal("a code of a log entry"))
}
