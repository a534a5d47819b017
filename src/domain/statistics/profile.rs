//! The two ways in which tables are shown.

use serde::{Deserialize, Serialize};

use super::percent::Halves;

/// The names of the profiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProfileName {
    /// For the data team: exact counts.
    Internal,
    /// For anybody: rounded counts.
    Public,
}

impl ProfileName {
    /// The word in requests, tables and the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Internal => "internal",
            Self::Public => "public",
        }
    }

    /// The profile of this word.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Internal, Self::Public].into_iter().find(|name| name.as_str() == text)
    }
}

/// The smallest counts that a programme's tables show, as its file sets them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "ThresholdsFile", into = "ThresholdsFile")]
pub struct Thresholds {
    internal: Profile,
    public: Profile,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ThresholdsFile {
    #[serde(default = "usual_internal")]
    internal_threshold: u64,
    #[serde(default = "usual_public")]
    public_threshold: u64,
}

fn usual_internal() -> u64 {
    Profile::usual(ProfileName::Internal).threshold()
}
fn usual_public() -> u64 {
    Profile::usual(ProfileName::Public).threshold()
}

impl Thresholds {
    /// The profile of a name.
    pub fn profile(&self, name: ProfileName) -> Profile {
        match name {
            ProfileName::Internal => self.internal,
            ProfileName::Public => self.public,
        }
    }
}

impl Default for Thresholds {
    fn default() -> Self {
        Self { internal: Profile::usual(ProfileName::Internal), public: Profile::usual(ProfileName::Public) }
    }
}
impl TryFrom<ThresholdsFile> for Thresholds {
    type Error = ThresholdError;
    fn try_from(file: ThresholdsFile) -> Result<Self, ThresholdError> {
        Ok(Self {
            internal: Profile::with_threshold(ProfileName::Internal, file.internal_threshold)?,
            public: Profile::with_threshold(ProfileName::Public, file.public_threshold)?,
        })
    }
}
impl From<Thresholds> for ThresholdsFile {
    fn from(thresholds: Thresholds) -> Self {
        Self { internal_threshold: thresholds.internal.threshold(), public_threshold: thresholds.public.threshold() }
    }
}

/// How many memberships of a figure must change before a newer one is shown.
pub const LEAST_CHANGE: usize = 10;

/// What is hidden, and how the rest is rounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Profile {
    name: ProfileName,
    least: u64,
    step: u64,
    least_base: u64,
    least_percent_base: u64,
    halves: Halves,
}

/// Why a threshold is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the threshold of the {} profile lies between {least} and 100", .profile.as_str())]
pub struct ThresholdError {
    profile: ProfileName,
    least: u64,
}

impl Profile {
    /// The smallest threshold that may be set: of internal tables, and of public ones.
    pub const LEAST_THRESHOLDS: (u64, u64) = (3, 8);

    /// A profile with its usual threshold: 5 for internal tables, 8 for public ones.
    pub fn usual(name: ProfileName) -> Self {
        match name {
            ProfileName::Internal => Self::made(name, 5),
            ProfileName::Public => Self::made(name, 8),
        }
    }

    /// A profile that shows no count under a threshold.
    ///
    /// # Errors
    ///
    /// [`ThresholdError`] under 3 for internal and under 8 for public tables, or over 100.
    pub fn with_threshold(name: ProfileName, threshold: u64) -> Result<Self, ThresholdError> {
        let least = match name {
            ProfileName::Internal => Self::LEAST_THRESHOLDS.0,
            ProfileName::Public => Self::LEAST_THRESHOLDS.1,
        };
        if (least..=100).contains(&threshold) {
            Ok(Self::made(name, threshold))
        } else {
            Err(ThresholdError { profile: name, least })
        }
    }

    fn made(name: ProfileName, least: u64) -> Self {
        let (step, least_base, least_percent_base) = match name {
            ProfileName::Internal => (1, 0, 1),
            ProfileName::Public => (5, 50, 30),
        };
        Self { name, least, step, least_base, least_percent_base, halves: Halves::Up }
    }

    /// With another rule for halves of percentages.
    #[must_use]
    pub fn with_halves(self, halves: Halves) -> Self {
        Self { halves, ..self }
    }

    /// Which profile.
    pub fn name(&self) -> ProfileName {
        self.name
    }
    /// The smallest count that is shown.
    pub fn threshold(&self) -> u64 {
        self.least
    }
    /// The rule for halves of percentages.
    pub fn halves(&self) -> Halves {
        self.halves
    }
    /// Whether a count is too small to be shown. In public zero is, too: that nobody is in a group is
    /// news about everybody who might be. The data team's own tables show zeros.
    pub fn is_small(&self, count: u64) -> bool {
        count < self.least && (count > 0 || self.name == ProfileName::Public)
    }
    /// Whether so few are counted in all that no table is given.
    pub fn is_too_small_a_base(&self, base: u64) -> bool {
        base < self.least_base
    }
    /// The smallest whole of which a percentage is given.
    pub fn least_percent_base(&self) -> u64 {
        self.least_percent_base
    }

    /// A count as it is shown, if it is: each rounded by itself, totals too.
    pub fn shown(&self, count: u64) -> u64 {
        (count + self.step / 2) / self.step * self.step
    }

    /// The true counts that are shown like this one, smallest and largest.
    pub fn range(&self, count: u64) -> (u64, u64) {
        let shown = self.shown(count);
        let low = shown.saturating_sub((self.step - 1) / 2).max(self.least);
        (low.min(count), shown + self.step / 2)
    }

    /// The rule in words, as it stands under a table.
    pub fn rule(&self) -> String {
        let (least, halves) = (self.least, self.halves);
        let small = match self.name {
            ProfileName::Internal => format!("Counts of 1 to {}", least - 1),
            ProfileName::Public => format!("Counts under {least}, zero among them,"),
        };
        let kept = format!("{small} are not shown [c], nor are others from which one could be worked out.");
        let later = format!(
            "A figure is replaced when at least {LEAST_CHANGE} memberships changed; until then the last one stays, \
             with its date."
        );
        match self.name {
            ProfileName::Internal => {
                format!("{kept} Others are exact. Percentages in whole numbers, {halves}. {later}")
            }
            ProfileName::Public => format!(
                "{kept} Others are rounded to the nearest 5, totals by themselves. Percentages from rounded counts, of \
                 {} or more, in whole numbers, {halves}. {later}",
                self.least_percent_base
            ),
        }
    }

    /// The rule as a short code, for the log.
    pub fn code(&self) -> String {
        let (name, least, step) = (self.name.as_str(), self.least, self.step);
        format!("{name}-under-{least}-step-{step}-change-{LEAST_CHANGE}-{}", self.halves)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_count_is_the_nearest_five_and_says_no_more_than_that() {
        let public = Profile::usual(ProfileName::Public);
        assert_eq!([8, 12, 13, 22, 23, 2386].map(|count| public.shown(count)), [10, 10, 15, 20, 25, 2385]);
        for count in 8..300 {
            let (low, high) = public.range(count);
            for other in 8..320 {
                let looks_alike = public.shown(other) == public.shown(count);
                assert_eq!((low..=high).contains(&other), looks_alike, "{other} beside {count}");
            }
        }
        assert!((0..8).all(|count| public.is_small(count)) && !public.is_small(8));
    }

    #[test]
    fn an_internal_count_is_exact_from_the_threshold_on() {
        let internal = Profile::with_threshold(ProfileName::Internal, 10).expect("in range");
        assert!(internal.is_small(9) && internal.is_small(1) && !internal.is_small(10) && !internal.is_small(0));
        assert_eq!(internal.range(0), (0, 0));
        assert_eq!((internal.shown(13), internal.range(13)), (13, (13, 13)));
        assert!(Profile::with_threshold(ProfileName::Internal, 2).is_err());
        assert!(Profile::with_threshold(ProfileName::Public, 7).is_err());
        assert!(Profile::with_threshold(ProfileName::Public, 101).is_err());
    }

    #[test]
    fn a_programme_may_raise_its_thresholds_and_not_lower_them_to_nothing() {
        let read = |text: &str| serde_json::from_str::<Thresholds>(text);
        assert_eq!(read("{}").expect("the usual ones"), Thresholds::default());
        let raised = read(r#"{"public_threshold": 10}"#).expect("in range");
        assert_eq!(raised.profile(ProfileName::Public).threshold(), 10);
        assert!(raised.profile(ProfileName::Public).rule().contains("under 10"));
        assert!(read(r#"{"public_threshold": 1}"#).is_err() && read(r#"{"k": 5}"#).is_err());
    }
}
