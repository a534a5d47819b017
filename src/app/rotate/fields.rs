//! The key-encryption key is replaced: stored fields under an older version are sealed again.
//!
//! Every field names the version that sealed it, so there is no position to keep: a run that was
//! interrupted is simply run again and passes over what is done.

use crate::app::alerts::decoy::SEALED as DECOY;
use crate::app::error::AppError;
use crate::app::gateway::Gateway;
use crate::app::match_run::run_place;
use crate::app::screen::row_place;
use crate::app::statistics::member_place;
use crate::app::submit::RETIRED;
use crate::crypto::field::FieldSealer;
use crate::store::StoreError;

/// Fields that are sealed again in one transaction.
const PAGE: i64 = 500;

/// What a run came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Resealed {
    /// Fields under the current version already.
    pub current: u64,
    /// Fields that this run sealed again.
    pub resealed: u64,
}

/// One pass over the sealed fields, and what it came to so far.
struct Pass {
    changes: bool,
    done: Resealed,
}

impl Pass {
    /// Counts a field; whether it has to be sealed again now.
    fn is_due(&mut self, fields: &FieldSealer, sealed: &[u8]) -> bool {
        let is_current = fields.is_current(sealed);
        *(if is_current { &mut self.done.current } else { &mut self.done.resealed }) += 1;
        self.changes && !is_current
    }
}

impl Gateway {
    /// Seals again, under the current key-encryption key, every stored field that an older version
    /// sealed: records' evidence, openings of log entries, questions of screenings, those counted in
    /// statistics, who retired a token, household tokens, the pages of match runs, which records are decoys, and what
    /// is sealed in cases of people's rights.
    ///
    /// # Errors
    ///
    /// [`AppError`]; a field whose version is not loaded ends the run.
    pub async fn reseal_fields(&self) -> Result<Resealed, AppError> {
        self.look_at_fields(true).await
    }

    /// How many stored fields still need an older version of the key-encryption key.
    ///
    /// # Errors
    ///
    /// [`AppError`] from the database.
    pub async fn fields_under_older_keys(&self) -> Result<u64, AppError> {
        Ok(self.look_at_fields(false).await?.resealed)
    }

    /// Every kind of sealed field. Without `changes` those under older keys are counted and left.
    async fn look_at_fields(&self, changes: bool) -> Result<Resealed, AppError> {
        let mut pass = Pass { changes, done: Resealed::default() };
        self.reseal_evidence(&mut pass).await?;
        self.reseal_openings(&mut pass).await?;
        self.reseal_questions(&mut pass).await?;
        self.reseal_members(&mut pass).await?;
        self.reseal_retirements(&mut pass).await?;
        self.reseal_home_tokens(&mut pass).await?;
        self.reseal_run_pages(&mut pass).await?;
        self.reseal_decoys(&mut pass).await?;
        self.reseal_subject_cases(&mut pass.done, pass.changes).await?;
        Ok(pass.done)
    }

    async fn reseal_evidence(&self, pass: &mut Pass) -> Result<(), AppError> {
        let fields = &self.keys().fields;
        let mut after = 0;
        loop {
            let page = self.store().sealed_evidence(after, PAGE).await?;
            let Some((last, _)) = page.last() else { return Ok(()) };
            after = *last;
            let mut tx = self.store().begin().await?;
            for (record, sealed) in &page {
                if pass.is_due(fields, sealed) {
                    let row = record.to_be_bytes();
                    let again =
                        fields.reseal(self.random(), "record", "evidence", &row, sealed).map_err(does_not_open)?;
                    tx.replace_evidence(*record, sealed, &again).await?;
                }
            }
            tx.commit().await?;
        }
    }

    async fn reseal_openings(&self, pass: &mut Pass) -> Result<(), AppError> {
        let fields = &self.keys().fields;
        let mut after: Option<(crate::domain::ids::EventId, String)> = None;
        loop {
            let position = after.as_ref().map(|(event, field)| (*event, field.as_str()));
            let page = self.store().sealed_openings(position, PAGE).await?;
            let Some((event, field, _)) = page.last() else { return Ok(()) };
            after = Some((*event, field.clone()));
            let mut tx = self.store().begin().await?;
            for (event, field, sealed) in &page {
                if pass.is_due(fields, sealed) {
                    let again = fields.reseal(self.random(), "opening", field, event.as_bytes(), sealed);
                    tx.replace_opening(*event, field, sealed, &again.map_err(does_not_open)?).await?;
                }
            }
            tx.commit().await?;
        }
    }

    async fn reseal_questions(&self, pass: &mut Pass) -> Result<(), AppError> {
        let fields = &self.keys().fields;
        let mut after = None;
        loop {
            let page = self.store().sealed_questions(after, PAGE).await?;
            let Some((id, number, _)) = page.last() else { return Ok(()) };
            after = Some((*id, *number));
            let mut tx = self.store().begin().await?;
            for (id, number, sealed) in &page {
                if pass.is_due(fields, sealed) {
                    let place = row_place(*id, *number);
                    let again = fields.reseal(self.random(), "screening_row", "question", &place, sealed);
                    tx.replace_question(*id, *number, sealed, &again.map_err(does_not_open)?).await?;
                }
            }
            tx.commit().await?;
        }
    }

    /// There are few of these, each of a release of which a figure still stands.
    async fn reseal_members(&self, pass: &mut Pass) -> Result<(), AppError> {
        let fields = &self.keys().fields;
        for row in self.store().sealed_members().await? {
            let (_, series, number, sealed) = &row;
            if pass.is_due(fields, sealed) {
                let place = member_place(series, *number);
                let again = fields.reseal(self.random(), "statistics_release", "members", &place, sealed);
                let again = again.map_err(does_not_open)?;
                let mut tx = self.store().begin().await?;
                tx.replace_members(&row, &again).await?;
                tx.commit().await?;
            }
        }
        Ok(())
    }

    /// There are few of these: an agency retires tokens of people who were adopted.
    async fn reseal_retirements(&self, pass: &mut Pass) -> Result<(), AppError> {
        let fields = &self.keys().fields;
        for token in self.store().every_retired_token(self.programme()).await? {
            if pass.is_due(fields, &token.provenance) {
                let again = fields.reseal(self.random(), RETIRED.0, RETIRED.1, &token.id, &token.provenance);
                let again = again.map_err(does_not_open)?;
                let mut tx = self.store().begin().await?;
                tx.replace_provenance(&token, &again).await?;
                tx.commit().await?;
            }
        }
        Ok(())
    }

    async fn reseal_home_tokens(&self, pass: &mut Pass) -> Result<(), AppError> {
        let fields = &self.keys().fields;
        let mut after = 0;
        loop {
            let page = self.store().sealed_home_tokens(after, PAGE).await?;
            let Some((last, _)) = page.last() else { return Ok(()) };
            after = *last;
            let mut tx = self.store().begin().await?;
            for (record, sealed) in &page {
                if pass.is_due(fields, sealed) {
                    let again = fields.reseal(self.random(), "record", "home_tokens", &record.to_be_bytes(), sealed);
                    tx.replace_home_tokens(*record, sealed, &again.map_err(does_not_open)?).await?;
                }
            }
            tx.commit().await?;
        }
    }

    async fn reseal_run_pages(&self, pass: &mut Pass) -> Result<(), AppError> {
        let fields = &self.keys().fields;
        for page in self.store().sealed_run_pages().await? {
            let (run, part, number, sealed) = &page;
            if pass.is_due(fields, sealed) {
                let place = run_place(*run, part, *number);
                let again = fields.reseal(self.random(), "match_run_page", "sealed", &place, sealed);
                let mut tx = self.store().begin().await?;
                tx.replace_run_page(&page, &again.map_err(does_not_open)?).await?;
                tx.commit().await?;
            }
        }
        Ok(())
    }
}

impl Gateway {
    /// There are few of these.
    async fn reseal_decoys(&self, pass: &mut Pass) -> Result<(), AppError> {
        let fields = &self.keys().fields;
        for (id, sealed) in self.store().decoys().await? {
            if pass.is_due(fields, &sealed) {
                let again = fields.reseal(self.random(), DECOY.0, DECOY.1, &id, &sealed).map_err(does_not_open)?;
                let mut tx = self.store().begin().await?;
                tx.replace_decoy(&id, &sealed, &again).await?;
                tx.commit().await?;
            }
        }
        Ok(())
    }
}

fn does_not_open(_: crate::crypto::field::FieldError) -> AppError {
    AppError::Store(StoreError::Corrupt("a sealed field does not open under the loaded keys"))
}
