//! Accounts of the people who work with the system, compared as one would say them.

use std::fmt;

/// An account, in the one spelling in which accounts are compared and kept as keys: small letters, nothing
/// around them. A rule that asks for two people would else take `IG-1` and `ig-1` for two.
///
/// ```
/// # use porth::domain::account::Account;
/// assert_eq!(Account::of(" IG-1"), Account::of("ig-1"));
/// assert_ne!(Account::of("ig-1"), Account::of("ig-2"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Account(String);

impl Account {
    /// The account that somebody wrote, however it was spelt.
    pub fn of(text: &str) -> Self {
        Self(text.trim().to_lowercase())
    }

    /// Whether somebody wrote this account, however it was spelt.
    pub fn is(&self, text: &str) -> bool {
        *self == Self::of(text)
    }

    /// The one spelling.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_account_is_one_however_it_is_spelt() {
        let account = Account::of("IG-1");
        assert!(["ig-1", "Ig-1", " ig-1\n", "IG-1"].into_iter().all(|text| account.is(text)));
        assert!(!account.is("ig-10") && !account.is(""));
        assert_eq!(account.to_string(), "ig-1");
    }
}
