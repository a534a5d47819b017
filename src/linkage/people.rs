//! Invented people for the tests of linkage, and the tokens that their records would carry.

use proptest::prelude::*;

use super::record::{HouseholdToken, LinkRecord, LinkToken};
use super::rules::{ConflictRole, KindRule, LinkRules, Tier};
use crate::domain::token::Blinded;

pub(crate) const NHS_DATE: u16 = 0;
pub(crate) const NHS: u16 = 1;
pub(crate) const UPN: u16 = 2;
pub(crate) const NAME_DATE_POSTCODE: u16 = 3;
pub(crate) const NAME_DATE_HOME: u16 = 4;
pub(crate) const FORENAME_DATE_HOME: u16 = 5;
pub(crate) const SURNAME_DATE_HOME: u16 = 6;
pub(crate) const KINDS: u16 = 7;

/// Strong identifiers first; keys that lack a forename or a surname only suggest.
pub(crate) fn rules() -> LinkRules {
    let rule = |tier, conflict| KindRule { tier, conflict };
    LinkRules::new(vec![
        rule(Tier::Link(0), ConflictRole::WithDate { of: NHS }),
        rule(Tier::Link(1), ConflictRole::Strong),
        rule(Tier::Link(1), ConflictRole::Strong),
        rule(Tier::Link(2), ConflictRole::None),
        rule(Tier::Link(3), ConflictRole::None),
        rule(Tier::Suggest, ConflictRole::None),
        rule(Tier::Suggest, ConflictRole::None),
    ])
    .expect("the date rule leans on NHS")
}

pub(crate) type TestRecord = LinkRecord<u32>;

pub(crate) fn blinded(text: &str) -> Blinded {
    let mut hash = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d_u128; // FNV-1a, 128 bit
    for byte in text.bytes() {
        hash = (hash ^ u128::from(byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b);
    }
    Blinded::new(hash.to_be_bytes())
}

pub(crate) fn token(kind: u16, epoch: u32, value: &str) -> LinkToken {
    LinkToken { kind, epoch, value: blinded(&format!("{kind}/{epoch}/{value}")) }
}

pub(crate) fn home(epoch: u32, value: &str) -> HouseholdToken {
    HouseholdToken { epoch, value: blinded(&format!("home/{epoch}/{value}")) }
}

/// A person as one agency knows them.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    forename: &'static str,
    surname: &'static str,
    born: &'static str,
    nhs: Option<&'static str>,
    upn: Option<&'static str>,
    postcode: Option<&'static str>,
    homes: Vec<&'static str>,
}

impl Person {
    pub(crate) fn new(forename: &'static str, surname: &'static str, born: &'static str) -> Self {
        Self { forename, surname, born, nhs: None, upn: None, postcode: None, homes: Vec::new() }
    }
    pub(crate) fn forename(self, forename: &'static str) -> Self {
        Self { forename, ..self }
    }
    pub(crate) fn surname(self, surname: &'static str) -> Self {
        Self { surname, ..self }
    }
    pub(crate) fn born(self, born: &'static str) -> Self {
        Self { born, ..self }
    }
    pub(crate) fn nhs(self, nhs: &'static str) -> Self {
        Self { nhs: Some(nhs), ..self }
    }
    pub(crate) fn upn(self, upn: &'static str) -> Self {
        Self { upn: Some(upn), ..self }
    }
    pub(crate) fn postcode(self, postcode: &'static str) -> Self {
        Self { postcode: Some(postcode), ..self }
    }
    pub(crate) fn home(mut self, home: &'static str) -> Self {
        self.homes.push(home);
        self
    }

    pub(crate) fn tokens(&self) -> Vec<LinkToken> {
        let Self { forename, surname, born, .. } = self;
        let mut tokens = Vec::new();
        let mut add = |kind, value: String| tokens.push(token(kind, 1, &value));
        if let Some(nhs) = self.nhs {
            add(NHS, nhs.to_owned());
            add(NHS_DATE, format!("{nhs} {born}"));
        }
        if let Some(upn) = self.upn {
            add(UPN, upn.to_owned());
        }
        if let Some(postcode) = self.postcode {
            add(NAME_DATE_POSTCODE, format!("{forename} {surname} {born} {postcode}"));
        }
        for home in &self.homes {
            add(NAME_DATE_HOME, format!("{forename} {surname} {born} {home}"));
            add(FORENAME_DATE_HOME, format!("{forename} {born} {home}"));
            add(SURNAME_DATE_HOME, format!("{surname} {born} {home}"));
        }
        tokens
    }

    pub(crate) fn record(&self, key: u32) -> TestRecord {
        let households = self.homes.iter().map(|value| home(1, value)).collect();
        LinkRecord { key, tokens: self.tokens(), households }
    }
}

/// Records with few enough values that they collide, link and conflict all the time.
pub(crate) fn crowd(most: usize) -> impl Strategy<Value = Vec<TestRecord>> {
    let one = (0..KINDS, 0_u32..2, 0_u8..4);
    let tokens = proptest::collection::vec(one, 0..6);
    proptest::collection::vec(tokens, 0..most).prop_map(|crowd| {
        let token = |(kind, epoch, value): (u16, u32, u8)| token(kind, epoch, &value.to_string());
        let record = |(key, tokens): (u32, Vec<_>)| LinkRecord {
            key,
            tokens: tokens.into_iter().map(token).collect(),
            households: Vec::new(),
        };
        (0..).zip(crowd).map(record).collect()
    })
}
