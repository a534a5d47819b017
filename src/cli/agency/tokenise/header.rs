//! The first line of a batch.

use jiff::civil::Date;
use serde::Serialize;

use crate::cli::agency::mapping::BatchMode;
use crate::domain::ids::{AgencyCode, AgreementRef, FeedCode, ProgrammeCode};
use crate::domain::submission::{EpochKeys, RowsMode};

/// The header as it is written, in the order in which the gateway's own type lists its parts.
#[derive(Serialize)]
pub(super) struct BatchHeader<'a> {
    pub(super) programme: &'a ProgrammeCode,
    pub(super) agency: &'a AgencyCode,
    pub(super) feed: &'a FeedCode,
    pub(super) agreement: &'a AgreementRef,
    pub(super) mode: BatchMode,
    pub(super) rows: RowsMode,
    pub(super) as_at: Date,
    pub(super) scheme: &'static str,
    pub(super) norm: u16,
    pub(super) match_keys: String,
    pub(super) epochs: Vec<EpochKeys>,
}
