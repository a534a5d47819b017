//! Whom the gateway has for witnesses is in the log itself: whoever takes them out of the configuration,
//! or lets fewer of them be enough, leaves an entry.

use crate::app::enquire::log_entry::code;
use crate::app::error::AppError;
use crate::app::gateway::Gateway;
use crate::app::log_index::index_log;
use crate::domain::ids::EventId;
use crate::store::{Store, StoreError};
use crate::tlog::digest::Digest;
use crate::tlog::entry::{Body, Code, Entry, LogWitnesses, WitnessNamed};

/// The entry type.
const KIND: &str = "log.witnesses";
/// Changes of the rule that are read in one go.
const PAGE: i64 = 1000;

impl Gateway {
    /// Writes an entry when the witnesses of this process are others than the log says, or are believed
    /// on other terms; gives that entry. `because` says why there are none.
    ///
    /// # Errors
    ///
    /// [`AppError`] from the database.
    pub async fn record_witnesses(&self, because: Option<&str>) -> Result<Option<EventId>, AppError> {
        let now = self.rule_in_force(because)?;
        match last_rule(self.store()).await? {
            Some(last) if last == now => return Ok(None),
            None if now.quorum == 0 && now.reason.is_none() => return Ok(None),
            _ => {}
        }
        let event = self.event(self.store().now().await?, Body::LogWitnesses(now))?;
        let mut tx = self.store().begin().await?;
        tx.add_events(&[&event]).await?;
        tx.commit().await?;
        self.wake_sequencer();
        Ok(Some(event.id))
    }

    fn rule_in_force(&self, because: Option<&str>) -> Result<LogWitnesses, AppError> {
        let reason = because.map(code).transpose()?;
        let Some(witnesses) = self.witnesses() else {
            return Ok(LogWitnesses { witnesses: Vec::new(), quorum: 0, stop_after_minutes: 0, reason });
        };
        let named = |(key, witness): &(String, crate::tlog::cosignature::Witness)| {
            use crate::tlog::note::NoteVerifier as _;
            let name: Option<Code> = witness.name().parse().ok();
            WitnessNamed { name, key_sha256: Digest::of(key.as_bytes()) }
        };
        let mut known: Vec<WitnessNamed> = witnesses.known.iter().map(named).collect();
        known.sort();
        Ok(LogWitnesses {
            witnesses: known,
            quorum: witnesses.rule.quorum as u64,
            stop_after_minutes: witnesses.rule.stop_after.as_secs() / 60,
            reason,
        })
    }
}

/// The rule that the log's newest entry of the type says; one that waits for its place counts.
async fn last_rule(store: &Store) -> Result<Option<LogWitnesses>, AppError> {
    if let Some(body) = store.pending_of_type(KIND).await? {
        return Ok(Some(parse(&body)?));
    }
    let size = index_log(store).await?;
    let (mut from, mut last) = (0, None);
    loop {
        let page = store.entries_of_type(KIND, from, size, PAGE).await?;
        let Some(newest) = page.into_iter().next_back() else { break };
        from = newest.index + 1;
        last = Some(newest.body);
    }
    last.map(|body| parse(&body)).transpose()
}

fn parse(body: &[u8]) -> Result<LogWitnesses, AppError> {
    match Entry::parse(body).map(Entry::into_body) {
        Ok(Body::LogWitnesses(rule)) => Ok(rule),
        _ => Err(StoreError::Corrupt("a log entry").into()),
    }
}
