//! Tables and previews are about nobody: they say counts. Whether one rested on a wrong delivery is told by the
//! days that it counts and by those on which the delivery was shown; what it would have said without it is not
//! worked out, so whoever received it is told that it may have been another one.
//!
//! A wrong match is not followed here: it moves a count by one family, and who read a table knows nobody by it.

use super::delivery::WrongDelivery;
use super::search::Ground;
use crate::app::error::AppError;
use crate::app::gateway::Gateway;
use crate::app::statistics::series_of;
use crate::domain::recall::Verdict;
use crate::domain::time::Timestamp;
use crate::tlog::entry::{Contribution, Decision, Enquiry, Statistics};

const DAY_SECONDS: i64 = 86_400;

impl Gateway {
    /// A table that counted records of a day on which a wrong delivery was shown. Figures of earlier releases that
    /// stood in it count by their own days.
    pub(super) async fn judge_table(
        &self,
        ground: &Ground<'_>,
        table: &Statistics,
        at: Timestamp,
    ) -> Result<Option<Verdict>, AppError> {
        let Some(wrong) = ground.delivery.as_ref().filter(|wrong| has_contributed(wrong, &table.decisions)) else {
            return Ok(None);
        };
        let (Some(number), Some(agreement)) = (table.release, &table.agreement) else { return Ok(None) };
        let series = series_of(table.profile.as_str(), &table.recipient, agreement, table.table.as_str());
        let (Some(series), Ok(number)) = (series, i64::try_from(number)) else { return Ok(None) };
        let days = self.store().days_behind_release(self.programme(), &series, number).await?;
        let rests_on = |day: &Timestamp| wrong.was_shown_between(*day, day.plus_seconds(DAY_SECONDS).min(at));
        Ok(days.iter().any(rests_on).then_some(Verdict::Unsettled))
    }

    /// Likewise a preview, which counts what is shown when it is made.
    pub(super) fn judge_preview(ground: &Ground<'_>, preview: &Enquiry, at: Timestamp) -> Option<Verdict> {
        let wrong = ground.delivery.as_ref().filter(|wrong| has_contributed(wrong, &preview.decisions))?;
        wrong.was_shown_between(at, at).then_some(Verdict::Unsettled)
    }
}

/// Whether the delivery's feed was in the permitted set.
fn has_contributed(wrong: &WrongDelivery, decisions: &[Decision]) -> bool {
    let is_of = |line: &Decision| line.supplier == wrong.delivery.agency && line.feed == wrong.delivery.feed;
    decisions.iter().any(|line| is_of(line) && line.outcome == Contribution::Permitted)
}
