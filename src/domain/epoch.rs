//! The life of a linkage key epoch.

use std::str::FromStr;

/// Where an epoch of the linkage key is in its life. It never goes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EpochState {
    /// Its tokens are taken and match.
    Active,
    /// Its key may be in wrong hands: its tokens are refused and match nothing, at once.
    Frozen,
    /// It is over: as frozen, and its stored tokens are removed.
    Retired,
}

impl EpochState {
    /// The word in the database, in log entries and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Frozen => "frozen",
            Self::Retired => "retired",
        }
    }

    /// Whether an epoch in this state may go to another.
    pub fn may_become(self, next: Self) -> bool {
        self < next
    }
}

/// The text is no state of an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no state of an epoch: active, frozen, retired")]
pub struct EpochStateError;

impl FromStr for EpochState {
    type Err = EpochStateError;

    fn from_str(text: &str) -> Result<Self, EpochStateError> {
        [Self::Active, Self::Frozen, Self::Retired]
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or(EpochStateError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_never_goes_back() {
        use EpochState::{Active, Frozen, Retired};
        for (from, to, may) in [
            (Active, Frozen, true),
            (Active, Retired, true),
            (Frozen, Retired, true),
            (Frozen, Active, false),
            (Retired, Active, false),
            (Retired, Frozen, false),
            (Frozen, Frozen, false),
        ] {
            assert_eq!(from.may_become(to), may, "{} to {}", from.as_str(), to.as_str());
        }
    }

    #[test]
    fn states_read_back() {
        for state in [EpochState::Active, EpochState::Frozen, EpochState::Retired] {
            assert_eq!(state.as_str().parse(), Ok(state));
        }
        assert_eq!("thawed".parse::<EpochState>(), Err(EpochStateError));
    }
}
