//! Re-identification: the data team asks who a pseudonymous person is, officers and the source's own
//! approver sign, the source answers with an envelope that the gateway cannot open.
//!
//! | file | journey |
//! |---|---|
//! | [`card`] | the public halves of keys with whose they are, and the id of each |
//! | [`keys`] | two people enrol the keys of officers and of the data team, or revoke them |
//! | [`ask`] | the data team asks; **where it is decided whether it may** |
//! | [`vote`] | officers approve, refuse, withdraw; the requester takes the request back |
//! | [`certify`] | the gateway certifies what is approved and in a cosigned checkpoint |
//! | [`answer`] | the source answers, once; faults found on somebody's machine come to the log |
//! | [`collect`] | the requester collects and countersigns; what lapsed is removed |
//! | [`desk`] | officers and the data team at the console |
//! | [`view`] | what each party sees of a request |
//! | [`verify`] | what source and data team check on their own machines |
//! | `record` | the row, its sealed column and the log entry of every step |

pub mod answer;
pub mod ask;
pub mod card;
pub mod certify;
pub mod collect;
pub mod desk;
pub mod keys;
mod record;
pub mod verify;
pub mod view;
pub mod vote;

pub use self::ask::NewReidentification;
pub use self::view::ReidView;

use super::enquire::EnquiryError;
use super::error::AppError;
use super::families::FamilyError;
use crate::domain::ids::EventId;
use crate::domain::reidentification::refusal::Refusal;
use crate::domain::reidentification::request::RequestFault;
use crate::store::StoreError;

/// How often a step is decided anew because somebody else was first.
const MOST_TRIES: usize = 4;

/// Why a step is not taken.
#[derive(Debug, thiserror::Error)]
pub enum ReidError {
    /// The request itself is at fault; nothing is logged.
    #[error(transparent)]
    Form(#[from] RequestFault),
    /// The nonce is not 32 bytes of base64url.
    #[error("a nonce has 43 base64url characters")]
    Nonce,
    /// The recipient's key is not enrolled for the caller.
    #[error("no recipient key of this id is enrolled for the caller's agency")]
    Recipient,
    /// Another request had the same idempotency key.
    #[error("the idempotency key belongs to another request")]
    KeyReused,
    /// The entry is not under a cosigned checkpoint yet.
    #[error("the authorisation is not yet under a cosigned checkpoint of the log; try again in a moment")]
    NotInLogYet,
    /// Refused, and logged.
    #[error("{refusal}")]
    Refused {
        /// Why.
        refusal: Refusal,
        /// Its log entry.
        disclosure: EventId,
    },
    /// As for a look at a family: refused by agreement, over the ceiling, at fault.
    #[error(transparent)]
    Family(#[from] FamilyError),
}

impl From<AppError> for ReidError {
    fn from(error: AppError) -> Self {
        Self::Family(error.into())
    }
}
impl From<StoreError> for ReidError {
    fn from(error: StoreError) -> Self {
        Self::Family(error.into())
    }
}
impl From<EnquiryError> for ReidError {
    fn from(error: EnquiryError) -> Self {
        Self::Family(error.into())
    }
}

impl ReidError {
    /// The code of a refusal.
    pub fn refusal(&self) -> Option<Refusal> {
        match self {
            Self::Refused { refusal, .. } => Some(*refusal),
            _ => None,
        }
    }
}
