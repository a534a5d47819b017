//! Who is calling: an agency's system, proved by certificate and token.

use crate::domain::ids::AgencyCode;

/// An authenticated system of an agency. Only [`super::authenticate`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgencyCaller {
    /// Whose system.
    pub agency: AgencyCode,
    /// Which of its systems.
    pub client: String,
}
