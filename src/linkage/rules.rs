//! What each kind of token may do: link, suggest, or forbid a link.
//!
//! Beside the programme's own kinds there are reserved ones. Four are of *pair tokens*: only two records
//! hold a pair token; it stands for what people or a match run decided about these two. Three kinds
//! join, ranked after every match key; the fourth says that the two are different people. The last
//! reserved kind is never stored with a record: by it a split reaches those who see only one side of it.

/// How strongly two records that share a token of a kind belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// Links without a person looking; a lower rank is stronger.
    Link(u16),
    /// Only suggests: a person in an agency decides.
    Suggest,
}

/// What a kind of token says against a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConflictRole {
    /// Nothing: people have several names and addresses.
    None,
    /// A person has one: records that both hold it and share no value are different people.
    Strong,
    /// The strong identifier `of` together with the date of birth: records that share the
    /// identifier and share no value of this kind disagree about the date.
    WithDate {
        /// Position of the strong kind.
        of: u16,
    },
    /// Records that share a value were found to be different people.
    Apart,
}

/// The pair token of two records whose holders both confirmed that they are one person.
pub const CONFIRMED: u16 = u16::MAX - 3;
/// The pair token of two records whose weighed evidence is over the threshold.
pub const WEIGHED: u16 = u16::MAX - 2;
/// The pair token of two records whose encodings are alike.
pub const FUZZY: u16 = u16::MAX - 1;
/// The pair token of two records that were found to be different people.
pub const APART: u16 = u16::MAX;
/// The mark of a split that a record's person carries: records that carry the same split, which stands
/// in the place of the epoch, on different sides are different people.
pub const PARTED: u16 = u16::MAX - 4;
/// The number under which pair tokens stand in the place of an epoch: no linkage key makes them, so
/// they outlive every one.
pub const PAIR_EPOCH: u32 = u32::MAX;

/// The reserved kinds with their rules, in order.
const RESERVED: [(u16, KindRule); 5] = [
    (PARTED, KindRule { tier: Tier::Suggest, conflict: ConflictRole::Strong }),
    (CONFIRMED, joins_last(u16::MAX - 2)),
    (WEIGHED, joins_last(u16::MAX - 1)),
    (FUZZY, joins_last(u16::MAX)),
    (APART, KindRule { tier: Tier::Suggest, conflict: ConflictRole::Apart }),
];

const fn joins_last(rank: u16) -> KindRule {
    KindRule { tier: Tier::Link(rank), conflict: ConflictRole::None }
}

/// Whether a kind is none of the programme's own.
pub const fn is_reserved(kind: u16) -> bool {
    kind >= PARTED
}

/// Whether a kind stands for a likeness that a match run found, and nobody confirmed.
pub const fn is_likeness(kind: u16) -> bool {
    matches!(kind, WEIGHED | FUZZY)
}

/// The rule of one kind of token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KindRule {
    /// What a shared value is worth.
    pub tier: Tier,
    /// What differing values forbid.
    pub conflict: ConflictRole,
}

/// Why a list of rules makes no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LinkRulesError {
    /// More kinds than a token can name beside the reserved ones.
    #[error("more than 65531 kinds of token")]
    TooMany,
    /// `WithDate` must lean on a kind whose conflict role is `Strong`.
    #[error("kind {kind}: its date rule names a kind that is not a strong identifier")]
    DateOfNothing {
        /// Position of the faulty rule.
        kind: u16,
    },
}

/// The programme's rules, one for each kind of token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkRules {
    kinds: Vec<KindRule>,
    /// Kinds that only suggest a link and yet carry a shield.
    shielding: Vec<u16>,
    /// Kinds made of names, dates and places alone.
    composites: Vec<u16>,
    /// What an agreement on a kind says, in thousandths of a bit.
    millibits: Vec<(u16, u32)>,
}

impl LinkRules {
    /// Checks and keeps the rules; a kind is known by its position.
    ///
    /// # Errors
    ///
    /// [`LinkRulesError`] if a date rule names no strong identifier, or a position does not fit.
    pub fn new(kinds: Vec<KindRule>) -> Result<Self, LinkRulesError> {
        if kinds.len() > usize::from(PARTED) {
            return Err(LinkRulesError::TooMany);
        }
        for (kind, rule) in (0..).zip(&kinds) {
            if let ConflictRole::WithDate { of } = rule.conflict
                && kinds.get(usize::from(of)).is_none_or(|strong| strong.conflict != ConflictRole::Strong)
            {
                return Err(LinkRulesError::DateOfNothing { kind });
            }
        }
        Ok(Self { kinds, shielding: Vec::new(), composites: Vec::new(), millibits: Vec::new() })
    }

    /// Lets a shield reach records that share a value of these kinds, though they only suggest a link.
    #[must_use]
    pub fn with_shielding(mut self, kinds: Vec<u16>) -> Self {
        self.shielding = kinds;
        self
    }

    /// Says which kinds are made of names, dates and places alone: what they join is compared first.
    #[must_use]
    pub fn with_composites(mut self, kinds: Vec<u16>) -> Self {
        self.composites = kinds;
        self
    }

    /// Says what an agreement on some kinds is worth, in thousandths of a bit.
    #[must_use]
    pub fn with_evidence(mut self, millibits: Vec<(u16, u32)>) -> Self {
        self.millibits = millibits;
        self
    }

    /// Whether a kind is made of names, dates and places alone.
    pub fn is_composite(&self, kind: u16) -> bool {
        self.composites.contains(&kind)
    }

    /// Whether everything that links at this rank is such a kind.
    pub fn needs_company(&self, rank: u16) -> bool {
        let mut linking = self.kinds().filter(|(_, rule)| rule.tier == Tier::Link(rank)).peekable();
        linking.peek().is_some() && linking.all(|(kind, _)| self.is_composite(kind))
    }

    /// What an agreement on a kind says, in thousandths of a bit, if it is known.
    pub fn evidence_millibits(&self, kind: u16) -> Option<u32> {
        self.millibits.iter().find(|(known, _)| *known == kind).map(|(_, millibits)| *millibits)
    }

    /// Whether a restriction reaches a record that shares a value of the kind.
    pub fn carries_shield(&self, kind: u16) -> bool {
        let is_strong = self.conflict(kind) == ConflictRole::Strong && !is_reserved(kind);
        self.rank(kind).is_some() || is_strong || self.shielding.contains(&kind)
    }

    /// Every kind that can speak for a link with its rule, in order; the joining reserved ones last.
    pub fn kinds(&self) -> impl Iterator<Item = (u16, KindRule)> + '_ {
        let own = (0..).zip(self.kinds.iter().copied());
        own.chain(RESERVED.into_iter().filter(|(_, rule)| rule.tier != Tier::Suggest))
    }

    /// The rank at which a kind links; `None` for kinds that only suggest and for unknown kinds.
    pub fn rank(&self, kind: u16) -> Option<u16> {
        match self.rule(kind)?.tier {
            Tier::Link(rank) => Some(rank),
            Tier::Suggest => None,
        }
    }

    /// What a kind forbids; an unknown kind forbids nothing.
    pub fn conflict(&self, kind: u16) -> ConflictRole {
        self.rule(kind).map_or(ConflictRole::None, |rule| rule.conflict)
    }

    /// Whether sharing a value of the kind makes two records a candidate pair.
    pub fn is_known(&self, kind: u16) -> bool {
        self.rule(kind).is_some() && (!is_reserved(kind) || self.rank(kind).is_some())
    }

    fn rule(&self, kind: u16) -> Option<KindRule> {
        if is_reserved(kind) {
            return RESERVED.iter().find(|(reserved, _)| *reserved == kind).map(|(_, rule)| *rule);
        }
        self.kinds.get(usize::from(kind)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_rule_leans_on_a_strong_identifier_or_is_refused() {
        let rule = |conflict| KindRule { tier: Tier::Link(0), conflict };
        let dated = rule(ConflictRole::WithDate { of: 1 });

        assert!(LinkRules::new(vec![dated, rule(ConflictRole::Strong)]).is_ok());
        for bad in [vec![dated], vec![dated, rule(ConflictRole::None)], vec![dated, dated]] {
            assert_eq!(LinkRules::new(bad), Err(LinkRulesError::DateOfNothing { kind: 0 }));
        }
    }

    #[test]
    fn reserved_kinds_rank_after_every_match_key_and_the_last_of_them_parts() {
        let rules = LinkRules::new(vec![KindRule { tier: Tier::Link(64), conflict: ConflictRole::None }]);
        let rules = rules.expect("one kind");
        let ranks = [0, CONFIRMED, WEIGHED, FUZZY].map(|kind| rules.rank(kind).expect("it links"));
        assert!(ranks.is_sorted() && ranks[0] < ranks[1] && ranks[2] < ranks[3], "{ranks:?}");
        assert!([CONFIRMED, WEIGHED, FUZZY].iter().all(|kind| rules.carries_shield(*kind) && rules.is_known(*kind)));
        assert_eq!((rules.rank(APART), rules.conflict(APART)), (None, ConflictRole::Apart));
        assert!([APART, PARTED].iter().all(|kind| !rules.is_known(*kind) && !rules.carries_shield(*kind)));
        assert_eq!(rules.kinds().count(), 4);
    }
}
