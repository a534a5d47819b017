//! What the permitted records say is kept with the run, sealed, page by page. A page is one transaction: a
//! run that was interrupted goes on after the last page that is stored.

use std::collections::BTreeMap;

use super::log_entry::{Acting, Said};
use super::{MatchRunError, RunGround, RunReport, RunTerms, part};
use crate::app::caller::AgencyCaller;
use crate::app::enquire::evidence::cut_down;
use crate::app::error::AppError;
use crate::app::gateway::Gateway;
use crate::app::policies::Policies;
use crate::app::publish::{link_tokens, parted_tokens};
use crate::domain::ids::{AgencyCode, CriterionCode, FeedCode, MatchRunId};
use crate::domain::item::Item;
use crate::domain::record::Coverage;
use crate::domain::token::{Blinded, Token};
use crate::linkage::match_run::{RunHome, RunRecord};
use crate::store::{RunState, StoredRun, StoredRunRecord};

/// Records of a page.
const PAGE: i64 = 500;

impl Gateway {
    /// Takes a run one step further: a page of its snapshot, or, once the benefits agency has replied or
    /// `without_reply`, its families. Called again it takes the next step, whatever happened in between.
    ///
    /// # Errors
    ///
    /// [`MatchRunError`].
    pub async fn advance_match_run(
        &self,
        caller: &AgencyCaller,
        id: MatchRunId,
        terms: &RunTerms,
        without_reply: bool,
    ) -> Result<RunReport, MatchRunError> {
        let run = self.own_run(caller, id).await?;
        let ground = RunGround::read(&run)?;
        match run.state {
            RunState::Snapshot => {
                self.check_permits(&run, &ground).await?;
                self.take_page(caller, &run, &ground, terms).await?;
            }
            RunState::Listed => {
                self.check_permits(&run, &ground).await?;
                let is_answered = !self.store().run_pages(id, part::REPLY).await?.is_empty();
                if is_answered || without_reply || ground.asks.is_none() {
                    self.close_match_run(caller, &run, &ground, terms).await?;
                }
            }
            RunState::Closed | RunState::Failed => {}
        }
        self.show_match_run(caller, id).await
    }

    async fn take_page(
        &self,
        caller: &AgencyCaller,
        run: &StoredRun,
        ground: &RunGround,
        terms: &RunTerms,
    ) -> Result<(), MatchRunError> {
        let policies = self.current_policies().await?;
        let feeds = ground.permitted_feeds();
        let page = self.store().run_records(self.programme(), run.generation, &feeds, run.position, PAGE).await?;
        let is_last = (page.len() as i64) < PAGE;
        let records = run.records + page.len() as i64;
        // Another blinding key came between two pages, or rows of this generation were tidied away.
        if policies.blinding().layers != ground.layers || (is_last && records != run.expected) {
            return self.fail_run(caller, run, terms).await;
        }
        let position = page.last().map_or(run.position, |last| (last.component, last.id));
        let count = page.len() as i64;
        let (gateway, reader) = (self.clone(), Reader::new(&policies, ground));
        let read = tokio::task::spawn_blocking(move || {
            let records = page
                .iter()
                .filter_map(|record| reader.read(&gateway, record).transpose())
                .collect::<Result<Vec<_>, _>>()?;
            serde_json::to_vec(&records).map_err(|_| AppError::Internal("a page cannot be written"))
        });
        let plain = read.await.map_err(|_| AppError::Interrupted)??;
        let sealed = self.seal_run_page(run.id, part::SNAPSHOT, run.pages, &plain);

        let mut tx = self.store().begin().await?;
        if !tx.move_run(run.id, run.pages, position, count).await? {
            return Ok(()); // somebody else took the step
        }
        tx.put_run_page(run.id, part::SNAPSHOT, run.pages, &sealed).await?;
        if is_last {
            tx.set_run_state(run.id, RunState::Snapshot, RunState::Listed).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    async fn fail_run(&self, caller: &AgencyCaller, run: &StoredRun, terms: &RunTerms) -> Result<(), MatchRunError> {
        let view = self.store().view(self.programme()).await?;
        let view = view.ok_or_else(|| AppError::Policy("no programme is loaded".to_owned()))?;
        let policies = self.policies_at(view.policy_revision).await?;
        let acting = Acting { caller, terms, policies: &policies, view };
        let entry = self.run_step_entry(&acting, run.id, "failed", Said::default())?;
        let mut tx = self.store().begin().await?;
        if tx.set_run_state(run.id, RunState::Snapshot, RunState::Failed).await? {
            tx.add_events(&[&entry]).await?;
            tx.commit().await?;
            self.wake_sequencer();
        }
        Ok(())
    }
}

/// What every record is read by.
struct Reader {
    permits: Vec<(AgencyCode, FeedCode, Item)>,
    areas: BTreeMap<CriterionCode, Item>,
    attendance: Vec<Item>,
    policies: std::sync::Arc<Policies>,
}

impl Reader {
    fn new(policies: &std::sync::Arc<Policies>, ground: &RunGround) -> Self {
        let version = policies.programme().criteria_at(ground.as_at.date());
        let computed = version.criteria.iter().filter(|criterion| criterion.from_attendance);
        Self {
            permits: ground.permits.clone(),
            areas: version.criteria.iter().map(|c| (c.code.clone(), Item::Area(c.area.clone()))).collect(),
            attendance: computed.map(|criterion| Item::Area(criterion.area.clone())).collect(),
            policies: std::sync::Arc::clone(policies),
        }
    }

    /// A record as the snapshot keeps it: cut down to what its terms permit, without tokens that
    /// no longer match. `None` for one that a person's right keeps from use.
    fn read(&self, gateway: &Gateway, record: &StoredRunRecord) -> Result<Option<RunRecord>, AppError> {
        let name = &record.name;
        if self.policies.is_held_back(&name.agency, &name.feed, &name.reference) {
            return Ok(None);
        }
        let may = |item: &Item| {
            self.permits
                .iter()
                .any(|(agency, feed, permitted)| (agency, feed, permitted) == (&name.agency, &name.feed, item))
        };
        let mut evidence = gateway.open_evidence(record.id, &record.evidence)?;
        self.policies.contest((&name.agency, &name.feed, &name.reference), &mut evidence);
        let shows_home = may(&Item::Household) && evidence.coverage == Coverage::Current;
        cut_down(&mut evidence, may, &self.areas, &self.attendance);
        let tokens = self.policies.matching(&record.tokens);
        let homes = if shows_home { self.homes(gateway, record)? } else { Vec::new() };
        Ok(Some(RunRecord {
            component: record.component,
            agency: name.agency.clone(),
            feed: name.feed.clone(),
            reference: name.reference.clone(),
            tokens: [link_tokens(&tokens), parted_tokens(&record.apart)].concat(),
            homes,
            evidence,
        }))
    }

    fn homes(&self, gateway: &Gateway, record: &StoredRunRecord) -> Result<Vec<RunHome>, AppError> {
        let mut made: BTreeMap<(u32, Blinded), (crate::domain::ids::TokenType, Token)> = BTreeMap::new();
        if let Some(sealed) = &record.home_tokens {
            for (epoch, types) in gateway.open_home_tokens(record.id, sealed)? {
                let keys = gateway.blind_types(epoch, &self.policies);
                for (token_type, tokens) in types {
                    let Some(key) = keys.get(&token_type) else { continue };
                    for token in tokens {
                        made.insert((epoch, key.blind(&token)), (token_type.clone(), token));
                    }
                }
            }
        }
        let live = record.households.iter().filter(|token| self.policies.matches(token));
        let home = |token: &crate::store::StoredToken| RunHome {
            epoch: token.epoch,
            value: token.blinded,
            made: made.get(&(token.epoch, token.blinded)).cloned(),
        };
        Ok(live.map(home).collect())
    }
}
