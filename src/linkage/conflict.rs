//! When two records cannot be one person, whatever else agrees.

use super::record::LinkToken;
use super::rules::{ConflictRole, LinkRules};

/// Why two records cannot be one person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Conflict {
    /// Both hold the strong identifier of this kind, and no value is the same.
    Identifier(u16),
    /// They share a strong identifier, and the kind that adds the date of birth to it differs.
    DateOfBirth(u16),
    /// People found that they are different people.
    Apart,
}

/// The tokens of a record that can speak against a link, sorted.
///
/// Records with equal profiles conflict with the same records, and with one another only where people
/// found them apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConflictProfile(Vec<LinkToken>);

impl ConflictProfile {
    /// Picks the tokens whose kind has a conflict role.
    pub fn of(tokens: &[LinkToken], rules: &LinkRules) -> Self {
        let speaks = |token: &&LinkToken| rules.conflict(token.kind) != ConflictRole::None;
        let mut tokens: Vec<LinkToken> = tokens.iter().filter(speaks).copied().collect();
        tokens.sort_unstable();
        tokens.dedup();
        Self(tokens)
    }

    /// Whether the profile can conflict with nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the two cannot be one person.
    pub fn conflicts_with(&self, other: &Self, rules: &LinkRules) -> bool {
        self.conflicts(other, rules).next().is_some()
    }

    /// Every reason why the two cannot be one person, by kind.
    pub fn conflicts<'a>(&'a self, other: &'a Self, rules: &'a LinkRules) -> impl Iterator<Item = Conflict> + 'a {
        conflicts(&self.0, &other.0, rules)
    }
}

/// A token as far as a comparison sees it: sorted by kind, then epoch, then whatever tells values apart.
pub(super) trait Held: Ord {
    /// Its kind.
    fn kind(&self) -> u16;
    /// Its epoch.
    fn epoch(&self) -> u32;
}

impl Held for LinkToken {
    fn kind(&self) -> u16 {
        self.kind
    }
    fn epoch(&self) -> u32 {
        self.epoch
    }
}

/// Every reason why two records with these sorted tokens of conflict kinds cannot be one person.
pub(super) fn conflicts<'a, T: Held>(
    a: &'a [T],
    b: &'a [T],
    rules: &'a LinkRules,
) -> impl Iterator<Item = Conflict> + 'a {
    a.chunk_by(|x, y| x.kind() == y.kind()).filter_map(move |mine| {
        let kind = mine[0].kind();
        let compared = compare(mine, of_kind(b, kind));
        match rules.conflict(kind) {
            ConflictRole::Apart => compared.share.then_some(Conflict::Apart),
            ConflictRole::Strong => compared.differ.then_some(Conflict::Identifier(kind)),
            ConflictRole::WithDate { of } if compared.differ => {
                compare(of_kind(a, of), of_kind(b, of)).share.then_some(Conflict::DateOfBirth(kind))
            }
            ConflictRole::None | ConflictRole::WithDate { .. } => None,
        }
    })
}

/// Whether a record with these tokens conflicts with another that has the same: only what was found
/// apart does.
pub(super) fn parts_equals<T: Held>(tokens: &[T], rules: &LinkRules) -> bool {
    tokens.iter().any(|token| rules.conflict(token.kind()) == ConflictRole::Apart)
}

fn of_kind<T: Held>(tokens: &[T], kind: u16) -> &[T] {
    let start = tokens.partition_point(|token| token.kind() < kind);
    let end = tokens.partition_point(|token| token.kind() <= kind);
    &tokens[start..end]
}

/// How two records' tokens of one kind stand to each other.
struct Comparison {
    /// Some value is the same.
    share: bool,
    /// In some epoch both hold values and none is the same.
    differ: bool,
}

/// Compares sorted tokens of one kind, epoch by epoch: values of two epochs say nothing about each
/// other.
fn compare<T: Held>(a: &[T], b: &[T]) -> Comparison {
    let mut result = Comparison { share: false, differ: false };
    for ours in a.chunk_by(|x, y| x.epoch() == y.epoch()) {
        let epoch = ours[0].epoch();
        let start = b.partition_point(|token| token.epoch() < epoch);
        let end = b.partition_point(|token| token.epoch() <= epoch);
        let theirs = &b[start..end];
        if !theirs.is_empty() {
            let common = ours.iter().any(|token| theirs.binary_search(token).is_ok());
            result.share |= common;
            result.differ |= !common;
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linkage::people::{NHS, NHS_DATE, rules, token};
    use crate::linkage::rules::{APART, PAIR_EPOCH};

    #[test]
    fn values_conflict_only_inside_one_kind_and_one_epoch() {
        let rules = rules();
        let nhs = |epoch, value| token(NHS, epoch, value);
        let dated = |value| token(NHS_DATE, 1, value);
        let cases = [
            ("two numbers in one epoch", vec![nhs(1, "a")], vec![nhs(1, "b")], vec![Conflict::Identifier(NHS)]),
            ("the same number", vec![nhs(1, "a")], vec![nhs(1, "a")], vec![]),
            ("an old and a new number, one in common", vec![nhs(1, "a"), nhs(1, "b")], vec![nhs(1, "b")], vec![]),
            ("numbers of different epochs", vec![nhs(1, "a")], vec![nhs(2, "b")], vec![]),
            ("one side holds none", vec![nhs(1, "a")], vec![], vec![]),
            (
                "one number, two dates of birth",
                vec![nhs(1, "a"), dated("a 2011")],
                vec![nhs(1, "a"), dated("a 2012")],
                vec![Conflict::DateOfBirth(NHS_DATE)],
            ),
            (
                "two numbers are one conflict, not also one of dates",
                vec![nhs(1, "a"), dated("a 2011")],
                vec![nhs(1, "b"), dated("b 2011")],
                vec![Conflict::Identifier(NHS)],
            ),
            (
                "found apart, though the number agrees",
                vec![nhs(1, "a"), token(APART, PAIR_EPOCH, "x")],
                vec![nhs(1, "a"), token(APART, PAIR_EPOCH, "x")],
                vec![Conflict::Apart],
            ),
            (
                "each found apart from somebody else",
                vec![token(APART, PAIR_EPOCH, "x")],
                vec![token(APART, PAIR_EPOCH, "y")],
                vec![],
            ),
        ];
        for (case, a, b, expected) in cases {
            let (a, b) = (ConflictProfile::of(&a, &rules), ConflictProfile::of(&b, &rules));
            assert_eq!(a.conflicts(&b, &rules).collect::<Vec<_>>(), expected, "{case}");
            assert_eq!(b.conflicts(&a, &rules).collect::<Vec<_>>(), expected, "{case}, turned round");
        }
    }
}
