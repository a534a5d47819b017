//! The key-encryption key is replaced: stored fields under an older version are sealed again.
//!
//! Every field names the version that sealed it, so there is no position to keep: a run that was
//! interrupted is simply run again and passes over what is done.

use crate::app::error::AppError;
use crate::app::gateway::Gateway;
use crate::app::match_run::run_place;
use crate::app::screen::row_place;
use crate::app::statistics::member_place;
use crate::app::submit::RETIRED;
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

impl Gateway {
    /// Seals again, under the current key-encryption key, every stored field that an older version
    /// sealed: records' evidence, openings of log entries, questions of screenings, those counted in
    /// statistics, who retired a token, household tokens, the pages of match runs and requests to
    /// re-identify.
    ///
    /// # Errors
    ///
    /// [`AppError`]; a field whose version is not loaded ends the run.
    pub async fn reseal_fields(&self) -> Result<Resealed, AppError> {
        let mut done = Resealed::default();
        self.reseal_evidence(&mut done, true).await?;
        self.reseal_openings(&mut done, true).await?;
        self.reseal_questions(&mut done, true).await?;
        self.reseal_members(&mut done, true).await?;
        self.reseal_retirements(&mut done, true).await?;
        self.reseal_home_tokens(&mut done, true).await?;
        self.reseal_run_pages(&mut done, true).await?;
        self.reseal_requests(&mut done, true).await?;
        Ok(done)
    }

    /// How many stored fields still need an older version of the key-encryption key.
    ///
    /// # Errors
    ///
    /// [`AppError`] from the database.
    pub async fn fields_under_older_keys(&self) -> Result<u64, AppError> {
        let mut seen = Resealed::default();
        self.reseal_evidence(&mut seen, false).await?;
        self.reseal_openings(&mut seen, false).await?;
        self.reseal_questions(&mut seen, false).await?;
        self.reseal_members(&mut seen, false).await?;
        self.reseal_retirements(&mut seen, false).await?;
        self.reseal_home_tokens(&mut seen, false).await?;
        self.reseal_run_pages(&mut seen, false).await?;
        self.reseal_requests(&mut seen, false).await?;
        Ok(seen.resealed)
    }

    /// Requests to re-identify.
    async fn reseal_requests(&self, done: &mut Resealed, changes: bool) -> Result<(), AppError> {
        let (current, resealed) = self.reseal_reids(changes).await?;
        done.current += current;
        done.resealed += resealed;
        Ok(())
    }

    async fn reseal_evidence(&self, done: &mut Resealed, changes: bool) -> Result<(), AppError> {
        let fields = &self.keys().fields;
        let mut after = 0;
        loop {
            let page = self.store().sealed_evidence(after, PAGE).await?;
            let Some((last, _)) = page.last() else { return Ok(()) };
            after = *last;
            let mut tx = self.store().begin().await?;
            for (record, sealed) in &page {
                if fields.is_current(sealed) {
                    done.current += 1;
                    continue;
                }
                done.resealed += 1;
                if changes {
                    let row = record.to_be_bytes();
                    let again =
                        fields.reseal(self.random(), "record", "evidence", &row, sealed).map_err(does_not_open)?;
                    tx.replace_evidence(*record, sealed, &again).await?;
                }
            }
            tx.commit().await?;
        }
    }

    async fn reseal_openings(&self, done: &mut Resealed, changes: bool) -> Result<(), AppError> {
        let fields = &self.keys().fields;
        let mut after: Option<(crate::domain::ids::EventId, String)> = None;
        loop {
            let position = after.as_ref().map(|(event, field)| (*event, field.as_str()));
            let page = self.store().sealed_openings(position, PAGE).await?;
            let Some((event, field, _)) = page.last() else { return Ok(()) };
            after = Some((*event, field.clone()));
            let mut tx = self.store().begin().await?;
            for (event, field, sealed) in &page {
                if fields.is_current(sealed) {
                    done.current += 1;
                    continue;
                }
                done.resealed += 1;
                if changes {
                    let again = fields.reseal(self.random(), "opening", field, event.as_bytes(), sealed);
                    tx.replace_opening(*event, field, sealed, &again.map_err(does_not_open)?).await?;
                }
            }
            tx.commit().await?;
        }
    }
}

impl Gateway {
    async fn reseal_questions(&self, done: &mut Resealed, changes: bool) -> Result<(), AppError> {
        let fields = &self.keys().fields;
        let mut after = None;
        loop {
            let page = self.store().sealed_questions(after, PAGE).await?;
            let Some((id, number, _)) = page.last() else { return Ok(()) };
            after = Some((*id, *number));
            let mut tx = self.store().begin().await?;
            for (id, number, sealed) in &page {
                if fields.is_current(sealed) {
                    done.current += 1;
                    continue;
                }
                done.resealed += 1;
                if changes {
                    let place = row_place(*id, *number);
                    let again = fields.reseal(self.random(), "screening_row", "question", &place, sealed);
                    tx.replace_question(*id, *number, sealed, &again.map_err(does_not_open)?).await?;
                }
            }
            tx.commit().await?;
        }
    }
}

impl Gateway {
    /// There are few of these, each of a release of which a figure still stands.
    async fn reseal_members(&self, done: &mut Resealed, changes: bool) -> Result<(), AppError> {
        let fields = &self.keys().fields;
        for row in self.store().sealed_members().await? {
            let (_, series, number, sealed) = &row;
            if fields.is_current(sealed) {
                done.current += 1;
                continue;
            }
            done.resealed += 1;
            if changes {
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
}

impl Gateway {
    /// There are few of these: an agency retires tokens of people who were adopted.
    async fn reseal_retirements(&self, done: &mut Resealed, changes: bool) -> Result<(), AppError> {
        let fields = &self.keys().fields;
        for token in self.store().every_retired_token(self.programme()).await? {
            if fields.is_current(&token.provenance) {
                done.current += 1;
                continue;
            }
            done.resealed += 1;
            if changes {
                let again = fields.reseal(self.random(), RETIRED.0, RETIRED.1, &token.id, &token.provenance);
                let again = again.map_err(does_not_open)?;
                let mut tx = self.store().begin().await?;
                tx.replace_provenance(&token, &again).await?;
                tx.commit().await?;
            }
        }
        Ok(())
    }

    async fn reseal_home_tokens(&self, done: &mut Resealed, changes: bool) -> Result<(), AppError> {
        let fields = &self.keys().fields;
        let mut after = 0;
        loop {
            let page = self.store().sealed_home_tokens(after, PAGE).await?;
            let Some((last, _)) = page.last() else { return Ok(()) };
            after = *last;
            let mut tx = self.store().begin().await?;
            for (record, sealed) in &page {
                if fields.is_current(sealed) {
                    done.current += 1;
                    continue;
                }
                done.resealed += 1;
                if changes {
                    let again = fields.reseal(self.random(), "record", "home_tokens", &record.to_be_bytes(), sealed);
                    tx.replace_home_tokens(*record, sealed, &again.map_err(does_not_open)?).await?;
                }
            }
            tx.commit().await?;
        }
    }

    async fn reseal_run_pages(&self, done: &mut Resealed, changes: bool) -> Result<(), AppError> {
        let fields = &self.keys().fields;
        for page in self.store().sealed_run_pages().await? {
            let (run, part, number, sealed) = &page;
            if fields.is_current(sealed) {
                done.current += 1;
                continue;
            }
            done.resealed += 1;
            if changes {
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

fn does_not_open(_: crate::crypto::field::FieldError) -> AppError {
    AppError::Store(StoreError::Corrupt("a sealed field does not open under the loaded keys"))
}
