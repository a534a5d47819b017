//! What can go wrong in a journey, as far as a caller can act on it.

use super::submit::FileFault;
use crate::domain::ids::SubmissionId;
use crate::store::StoreError;

/// A failed journey.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// A submission's header was refused; nothing was stored.
    #[error(transparent)]
    File(#[from] FileFault),
    /// A submission was refused after its rows arrived; its row errors can be read.
    #[error("{fault}")]
    RefusedFile {
        /// Which submission.
        id: SubmissionId,
        /// Why.
        fault: FileFault,
    },
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The policy documents in the database do not make a policy book.
    #[error("the policy documents in use cannot be read: {0}")]
    Policy(String),
    /// Another replica took over making a submission visible.
    #[error("another replica took over")]
    ClaimLost,
    /// Stored tokens are being taken through another blinding key, or this process lacks that key.
    #[error("the gateway's blinding key is being changed: nothing is looked up or taken in meanwhile")]
    KeysChanging,
    /// No quorum of witnesses has seen the log lately.
    #[error("witnesses have not cosigned the log lately: nothing is released until they do")]
    WitnessLate,
    /// Work was stopped before its end.
    #[error("stopped before the end")]
    Interrupted,
    /// Something stored does not open or an entry cannot be written: a fault of ours.
    #[error("internal fault: {0}")]
    Internal(&'static str),
}
