//! Why a value cannot be used: a stable code and a class, never the value.

/// Why a text gives no normalised value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, thiserror::Error)]
#[error("{code}: {rule}")]
pub struct IdentityError {
    code: &'static str,
    reason: Reason,
    rule: &'static str,
}

/// The class of an [`IdentityError`], for counting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// Nothing was given.
    Missing,
    /// Something stands where a value should be: a dummy number, `UNKNOWN`, a date that means none.
    Sentinel,
    /// What was given breaks the rule of its kind.
    Invalid,
}

impl IdentityError {
    pub(super) const fn missing(code: &'static str) -> Self {
        Self { code, reason: Reason::Missing, rule: "nothing was given" }
    }
    pub(super) const fn sentinel(code: &'static str, rule: &'static str) -> Self {
        Self { code, reason: Reason::Sentinel, rule }
    }
    pub(super) const fn invalid(code: &'static str, rule: &'static str) -> Self {
        Self { code, reason: Reason::Invalid, rule }
    }

    /// The stable code, such as `nhs.check_digit`.
    pub fn code(self) -> &'static str {
        self.code
    }
    /// Whether it is missing, a placeholder or wrong.
    pub fn reason(self) -> Reason {
        self.reason
    }
    /// The rule that it breaks, in words.
    pub fn rule(self) -> &'static str {
        self.rule
    }
}

impl Reason {
    /// The class as the data-quality report names it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Sentinel => "sentinel",
            Self::Invalid => "invalid",
        }
    }
}
