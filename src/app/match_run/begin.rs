//! The data team begins a match run. Decided before any record is read; what it will be computed from is
//! fixed here and logged, and nothing later changes it.

use serde::Serialize;

use super::log_entry::{Acting, ceiling};
use super::{
    MOST_TRIES, MatchRunError, RunAsk, RunGround, RunReport, RunTerms, check_terms, part, purpose, terms, undeclared,
};
use crate::app::caller::AgencyCaller;
use crate::app::enquire::{EnquiryError, supplier_feed};
use crate::app::error::AppError;
use crate::app::gateway::Gateway;
use crate::app::policies::Policies;
use crate::crypto::random::random_bytes;
use crate::domain::agency::AgencyKind;
use crate::domain::agreement::AnswerMode;
use crate::domain::family::RecordName;
use crate::domain::ids::{AgencyCode, AreaCode, FeedCode, MatchRunId};
use crate::domain::item::Item;
use crate::policy::decision::{Permitted, SupplierFeed};
use crate::policy::rules::RuleHit;
use crate::store::{FeedState, NewRun, StoreError};
use crate::tlog::digest::Digest;
use crate::tlog::entry::RunInput;

/// Only the programme's own team begins match runs, whatever a clause says.
pub(in crate::app) const NOT_THE_TEAM: (&str, &str) = ("M01", "Match runs are begun by the programme's own team.");

/// All that a request says, to know it again.
#[derive(Serialize)]
struct Request<'a> {
    begin: &'a RunTerms,
}

impl Gateway {
    /// Begins a run. The same request under the same key begins one.
    ///
    /// # Errors
    ///
    /// [`MatchRunError`]; refusals by agreement are in the log.
    pub async fn begin_match_run(
        &self,
        caller: &AgencyCaller,
        asked: &RunTerms,
        idempotency: &str,
    ) -> Result<RunReport, MatchRunError> {
        let tag = self.tag_of(&caller.client, idempotency, &Request { begin: asked })?;
        for _ in 0..MOST_TRIES {
            if let Some(report) = self.try_to_begin(caller, asked, tag).await? {
                return Ok(report);
            }
        }
        Err(AppError::Interrupted.into())
    }

    async fn try_to_begin(
        &self,
        caller: &AgencyCaller,
        asked: &RunTerms,
        tag: [u8; 32],
    ) -> Result<Option<RunReport>, MatchRunError> {
        let view = self.store().view(self.programme()).await?;
        let view = view.ok_or_else(|| AppError::Policy("no programme is loaded".to_owned()))?;
        let policies = self.policies_at(view.policy_revision).await?;
        self.check_blinding(&policies)?;
        let programme = policies.programme();
        if programme.purpose(&purpose()?).is_none() {
            return Err(undeclared());
        }
        check_terms(&policies, asked)?;
        let acting = Acting { caller, terms: asked, policies: &policies, view };
        let feeds = self.contributing_feeds(view.generation, &policies).await?;
        let came: Vec<SupplierFeed> = feeds.iter().map(supplier_feed).collect();
        let all: Vec<SupplierFeed> =
            came.iter().cloned().chain(benefits_feeds(&policies, &came, &caller.agency)).collect();
        let wanted = terms(&caller.agency, &asked.agreement, AnswerMode::Criteria, &asked.role, asked.relationship)?;
        let id = MatchRunId::new(uuid::Builder::from_random_bytes(random_bytes(self.random())).into_uuid());

        let is_team = policies.agency(&caller.agency).is_some_and(|agency| agency.kind() == AgencyKind::Programme);
        // Decided before any record is read.
        let decided = self.decisions().contributors(policies.book(), &wanted, &all, view.now);
        let (hits, lines, permitted) = match &decided {
            Err(refusal) => (refusal.hits.clone(), &refusal.decisions, None),
            Ok(permitted) if is_team => (Vec::new(), &permitted.decisions, Some(permitted)),
            Ok(permitted) => (vec![RuleHit::fixed(NOT_THE_TEAM)], &permitted.decisions, None),
        };
        let Some(permitted) = permitted else {
            let reason = hits.first().map_or("refused", |hit| &hit.rule);
            let entry = self.run_entry(&acting, id, &feeds, lines, Err(reason))?;
            return match self.write_run_refusal(&acting, entry, hits).await? {
                None => Ok(None),
                Some(error) => Err(error),
            };
        };
        self.begin_permitted(&acting, id, (&feeds, &all), permitted, tag).await
    }

    async fn begin_permitted(
        &self,
        acting: &Acting<'_>,
        id: MatchRunId,
        (feeds, all): (&[FeedState], &[SupplierFeed]),
        permitted: &Permitted,
        tag: [u8; 32],
    ) -> Result<Option<RunReport>, MatchRunError> {
        let Acting { caller, terms: asked, policies, view } = acting;
        let inputs = self.inputs(feeds, permitted).await?;
        let permits: Vec<_> =
            permitted.granted().map(|line| (line.supplier.clone(), line.feed.clone(), line.item.clone())).collect();
        let ground = RunGround {
            as_at: view.now,
            agreement: asked.agreement.clone(),
            relationship: asked.relationship,
            role: asked.role.clone(),
            programme_sha256: Digest::new(*policies.programme_sha256()),
            match_keys_sha256: Digest::new(*policies.match_keys().sha256()),
            layers: policies.blinding().layers,
            inputs,
            feeds: all
                .iter()
                .filter(|feed| permitted.includes(feed))
                .map(|feed| (feed.supplier.clone(), feed.feed.clone(), feed.agreement.clone()))
                .collect(),
            asks: asks(policies, &permits, view.now.date()),
            permits,
        };
        let expected =
            self.store().count_run_records(self.programme(), view.generation, &ground.permitted_feeds()).await?;
        let entry = self.run_entry(acting, id, feeds, &permitted.decisions, Ok((view.generation, &ground.inputs)))?;
        let over = self.run_entry(acting, id, feeds, &permitted.decisions, Err("ceiling"))?;
        let (key, most) = ceiling(permitted, acting);
        let text = serde_json::to_string(&ground).map_err(|_| AppError::Internal("a ground cannot be written"))?;

        let mut tx = self.store().begin().await?;
        tx.lock_programme(self.programme()).await?;
        if let Some(begun) = tx.run_by_tag(self.programme(), &tag).await? {
            return self.report(&begun).await.map(Some);
        }
        if tx.decided_on(self.programme()).await? != Some((view.policy_revision, view.generation)) {
            return Ok(None);
        }
        if tx.charge(&key, 1).await? >= most {
            tx.refund(&key, 1).await?;
            tx.add_events(&[&over]).await?;
            tx.commit().await?;
            self.wake_sequencer();
            let receipt = self.receipt(over.id, over.leaf_hash, over.at)?;
            return Err(EnquiryError::CeilingReached { disclosure: over.id, receipt }.into());
        }
        let new = NewRun {
            id,
            ground: &text,
            generation: view.generation,
            expected,
            begun_by: &caller.agency,
            begun_at: view.now,
            tag,
        };
        tx.add_run(self.programme(), &new).await?;
        let rejected = tx.rejected_records(self.programme()).await?.into_iter();
        let rejected: Vec<RecordName> = rejected
            .map(|name| RecordName { agency: name.agency, feed: name.feed, reference: name.reference })
            .collect();
        let plain = serde_json::to_vec(&rejected).map_err(|_| AppError::Internal("names cannot be written"))?;
        tx.put_run_page(id, part::HOLDERS, 0, &self.seal_run_page(id, part::HOLDERS, 0, &plain)).await?;
        tx.add_events(&[&entry]).await?;
        tx.commit().await?;
        self.wake_sequencer();
        let run = self.store().match_run(self.programme(), id).await?.ok_or(MatchRunError::Unknown)?;
        self.report(&run).await.map(Some)
    }

    /// The submissions that the permitted feeds show.
    async fn inputs(&self, feeds: &[FeedState], permitted: &Permitted) -> Result<Vec<RunInput>, AppError> {
        let mut inputs = Vec::new();
        for feed in feeds.iter().filter(|feed| permitted.includes(&supplier_feed(feed))) {
            let shown = self.store().visible_submissions(self.programme(), &feed.agency, &feed.feed).await?;
            for submission in shown {
                let digest = submission.digest.ok_or(StoreError::Corrupt("a visible submission without its digest"))?;
                inputs.push(RunInput {
                    agency: feed.agency.clone(),
                    feed: feed.feed.clone(),
                    submission: submission.id,
                    as_at: submission.as_at,
                    digest: Digest::new(digest),
                });
            }
        }
        inputs.sort_by_key(|input| input.submission);
        Ok(inputs)
    }
}

/// The benefits agencies' feeds that have not come, under the agreement that would carry them to the
/// recipient: a reply stands in their place, and is decided as they would be.
fn benefits_feeds(policies: &Policies, came: &[SupplierFeed], recipient: &AgencyCode) -> Vec<SupplierFeed> {
    let mut feeds = Vec::new();
    for feed in policies.programme().feeds() {
        let is_benefits = policies.agency(&feed.agency).is_some_and(|agency| agency.kind() == AgencyKind::Benefits);
        let has_come = came.iter().any(|it| it.supplier == feed.agency && it.feed == feed.code);
        if !is_benefits || has_come {
            continue;
        }
        let serves = |agreement: &&crate::domain::agreement::Agreement| {
            let mut terms = agreement.text.supplies().iter();
            terms.any(|term| term.supplier == feed.agency && term.recipients.contains(recipient))
        };
        feeds.extend(policies.book().agreements().find(serves).map(|agreement| SupplierFeed {
            supplier: feed.agency.clone(),
            feed: feed.code.clone(),
            agreement: agreement.text.reference().clone(),
        }));
    }
    feeds
}

/// Whom the run asks: the benefits agency whose word on a criterion the data team may hear.
fn asks(policies: &Policies, permits: &[(AgencyCode, FeedCode, Item)], today: jiff::civil::Date) -> Option<RunAsk> {
    let programme = policies.programme();
    let version = programme.criteria_at(today);
    let feeds = programme.feeds().iter().filter(|feed| {
        feed.is_effective(today)
            && policies.agency(&feed.agency).is_some_and(|agency| agency.kind() == AgencyKind::Benefits)
    });
    let mut found = feeds.filter_map(|feed| {
        let may_be_heard =
            |area: &AreaCode| permits.contains(&(feed.agency.clone(), feed.code.clone(), Item::Area(area.clone())));
        let criterion = version.criteria.iter().find(|c| feed.criteria.contains(&c.code) && may_be_heard(&c.area))?;
        Some(RunAsk { agency: feed.agency.clone(), feed: feed.code.clone(), criterion: criterion.code.clone() })
    });
    found.next()
}

#[cfg(test)]
mod tests {
    use crate::app::match_run::PURPOSE;

    #[test]
    fn the_purpose_is_a_code() {
        assert_eq!(super::purpose().expect("a code").as_str(), PURPOSE);
    }
}
