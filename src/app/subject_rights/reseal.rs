//! The key-encryption key is replaced: what is sealed in cases is sealed again.

use super::{CASE_PLACE, PART_PLACE, REPLY_PLACE};
use crate::app::error::AppError;
use crate::app::gateway::Gateway;
use crate::app::rotate::fields::Resealed;
use crate::store::StoreError;

impl Gateway {
    /// Seals again what an older key sealed in cases; counts only unless it may change.
    pub(in crate::app) async fn reseal_subject_cases(
        &self,
        done: &mut Resealed,
        changes: bool,
    ) -> Result<(), AppError> {
        for (id, sealed) in self.store().sealed_cases().await? {
            let Some(again) = self.again(done, CASE_PLACE, id.as_bytes(), &sealed)? else { continue };
            if changes {
                let mut tx = self.store().begin().await?;
                tx.reseal_case(id, &again).await?;
                tx.commit().await?;
            }
        }
        for part in self.store().sealed_parts().await? {
            let row = part.id.as_bytes();
            let records = self.again(done, PART_PLACE, row, &part.records)?;
            // What is sealed to a case's key is not ours to open.
            let answer = match &part.reply {
                Some(reply) if part.is_reply_ours => self.again(done, REPLY_PLACE, row, reply)?,
                _ => None,
            };
            if changes && (records.is_some() || answer.is_some()) {
                let (records, answer) = (records.unwrap_or(part.records), answer.or(part.reply));
                let mut tx = self.store().begin().await?;
                tx.reseal_part(part.id, &records, answer.as_deref()).await?;
                tx.commit().await?;
            }
        }
        Ok(())
    }

    /// A field under the current key; `None` where it is already.
    fn again(
        &self,
        done: &mut Resealed,
        (table, column): (&str, &str),
        row: &[u8],
        sealed: &[u8],
    ) -> Result<Option<Vec<u8>>, AppError> {
        let fields = &self.keys().fields;
        if fields.is_current(sealed) {
            done.current += 1;
            return Ok(None);
        }
        done.resealed += 1;
        let again = fields.reseal(self.random(), table, column, row, sealed);
        Ok(Some(again.map_err(|_| StoreError::Corrupt("a sealed field of a case does not open"))?))
    }
}
