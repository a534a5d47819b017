//! Tokens that an agency retires: they are staged with its rows and take effect when these are seen.

use serde_json::json;

use super::OpenSubmission;
use crate::app::error::AppError;
use crate::crypto::random::random_bytes;
use crate::domain::token::Blinded;
use crate::store::{RetiredToken, Tx};

/// Table and column of the sealed provenance.
pub(in crate::app) const PLACE: (&str, &str) = ("retired_token", "provenance");

impl OpenSubmission {
    /// Stages the tokens that the rows which were taken retire, each with who says so and when.
    pub(super) async fn stage_retired(
        &self,
        tx: &mut Tx,
        retired: &[(i64, Blinded)],
        taken: &[i64],
    ) -> Result<(), AppError> {
        let of_taken = retired.iter().filter(|(record, _)| taken.binary_search(record).is_ok());
        let mut tokens: Vec<Blinded> = of_taken.map(|(_, token)| *token).collect();
        if tokens.is_empty() {
            return Ok(());
        }
        tokens.sort_unstable();
        tokens.dedup();
        let (gateway, header) = (&self.gateway, &self.header);
        let provenance = json!({
            "agency": header.agency, "feed": header.feed, "submission": self.id,
            "at": tx.now().await?.as_micros(),
        });
        let provenance = provenance.to_string();
        let sealed = |blinded: Blinded| {
            let id = random_bytes(gateway.random());
            let provenance = gateway.keys().fields.seal(gateway.random(), PLACE.0, PLACE.1, &id, provenance.as_bytes());
            RetiredToken { id, blinded, provenance }
        };
        let staged: Vec<RetiredToken> = tokens.into_iter().map(sealed).collect();
        Ok(tx.stage_retired(gateway.programme(), self.id, &staged).await?)
    }
}
