//! What the codes of an entry stood for on its day: the texts that the entry names by their hashes.

use std::collections::BTreeMap;

use super::super::super::error::AppError;
use super::super::super::gateway::Gateway;
use super::super::super::{emergency, enquire, match_run, statistics};
use super::super::CEILING;
use super::ground::Ground;
use crate::domain::agency::Agency;
use crate::domain::agreement::AgreementText;
use crate::domain::ids::{AgencyCode, BasisCode, PowerCode, PurposeCode, RoleCode};
use crate::domain::item::Item;
use crate::domain::law;
use crate::domain::programme::Programme;
use crate::domain::time::Timestamp;
use crate::policy::RuleBook;
use crate::policy::decision::BEFORE_THE_BOOK;
use crate::policy::rules::ERROR;
use crate::tlog::digest::Digest;
use crate::tlog::entry::{Body, Code};

/// The texts of an entry's day, as far as the gateway has them.
pub(super) struct Names {
    programme: Option<Programme>,
    agencies: Option<Vec<Agency>>,
    rules: Option<RuleBook>,
    agreements: BTreeMap<Digest, AgreementText>,
    /// Refusals of the journey itself, which stand in no book.
    beside: Vec<(&'static str, &'static str)>,
}

/// What a term of an agreement says about the law.
pub(super) struct Term<'a> {
    pub(super) plain: &'a str,
    pub(super) powers: Vec<&'a PowerCode>,
    pub(super) art6: &'a BasisCode,
    pub(super) conditions: Vec<&'a BasisCode>,
}

impl Gateway {
    /// Reads the texts that an entry names.
    pub(super) async fn names_then(&self, body: &Body, ground: &Ground<'_>, at: Timestamp) -> Result<Names, AppError> {
        let programme = match ground.programme_sha256 {
            Some(sha256) => self.store().document(sha256.as_bytes()).await?,
            None => None,
        };
        let agencies = match ground.agencies_sha256 {
            Some(sha256) => self.agencies_then(at, sha256).await?,
            None => None,
        };
        let mut agreements = BTreeMap::new();
        let supplied = ground.decisions.iter().filter_map(|line| line.supply_sha256.as_ref());
        for sha256 in supplied.chain(ground.agreement_sha256) {
            if agreements.contains_key(sha256) {
                continue;
            }
            let document = self.store().document(sha256.as_bytes()).await?;
            let text = document.and_then(|document| AgreementText::parse(&document.body).ok());
            agreements.extend(text.map(|text| (*sha256, text)));
        }
        let mut beside = vec![CEILING, ERROR];
        match body {
            Body::Enquiry(_) => beside.push(emergency::UNREVIEWED),
            Body::FamilyDisclosure(_) => beside.push(enquire::family::NOT_THE_TEAM),
            Body::Statistics(_) => beside.push(statistics::NOT_THE_TEAM),
            Body::MatchRun(_) | Body::MatchRunStep(_) => beside.push(match_run::begin::NOT_THE_TEAM),
            _ => {}
        }
        Ok(Names {
            programme: programme.and_then(|document| Programme::parse(&document.body).ok()),
            agencies,
            rules: self.rules_then(at, ground.rules_sha256).await?,
            agreements,
            beside,
        })
    }
}

impl Names {
    /// An agency's name, and its code.
    pub(super) fn agency(&self, code: &AgencyCode) -> String {
        let known = self.agencies.iter().flatten().find(|agency| agency.code() == code);
        known.map_or_else(|| code.to_string(), |agency| format!("{} ({code})", agency.name()))
    }

    /// A rule's code and its sentence in the book of that day.
    pub(super) fn rule(&self, rule: &Code) -> String {
        let fixed = BEFORE_THE_BOOK.iter().chain(&self.beside).find(|(id, _)| *id == rule.as_str());
        let in_book = self.rules.as_ref().and_then(|book| book.say(rule.as_str()));
        match in_book.or(fixed.map(|(_, say)| *say)) {
            Some(say) => format!("{say} ({rule})"),
            None if self.rules.is_none() => format!("Rule {rule}; the rule book of that day is not there."),
            None => format!("Code {rule}; the rule book of that day has no such rule."),
        }
    }

    /// An item with the title that the programme gave it.
    pub(super) fn item(&self, code: &Code) -> String {
        let area = code.as_str().parse::<Item>().ok().and_then(|item| item.area().cloned());
        let area = area.and_then(|area| self.programme.as_ref()?.area(&area));
        area.map_or_else(|| code.to_string(), |area| format!("{code} {}", area.title))
    }

    /// A purpose with what the programme says of it.
    pub(super) fn purpose(&self, code: &PurposeCode) -> String {
        let known = self.programme.as_ref().and_then(|programme| programme.purpose(code));
        known.map_or_else(|| code.to_string(), |purpose| format!("{code} (\"{}\")", purpose.plain))
    }

    /// A role, likewise.
    pub(super) fn role(&self, code: &RoleCode) -> String {
        let known = self.programme.as_ref().and_then(|programme| programme.role(code));
        known.map_or_else(|| code.to_string(), |role| format!("{code} (\"{}\")", role.plain))
    }

    /// A relationship, likewise.
    pub(super) fn relationship(&self, code: &Code) -> String {
        let mut known = self.programme.iter().flat_map(Programme::relationships);
        let known = known.find(|relationship| relationship.code.as_str() == code.as_str());
        known.map_or_else(|| code.to_string(), |relationship| format!("{code} (\"{}\")", relationship.plain))
    }

    /// The title of an agreement's text.
    pub(super) fn title(&self, text: &Digest) -> Option<&str> {
        self.agreements.get(text).map(AgreementText::title)
    }

    /// A supply term or receive clause in a text, by its code.
    pub(super) fn term(&self, text: &Digest, term: &str) -> Option<Term<'_>> {
        let text = self.agreements.get(text)?;
        let supply = text.supplies().iter().find(|known| known.id.as_str() == term).map(|known| Term {
            plain: &known.plain,
            powers: known.power.iter().collect(),
            art6: &known.art6,
            conditions: known.conditions.iter().collect(),
        });
        let receive = || {
            text.receives().iter().find(|known| known.id.as_str() == term).map(|known| Term {
                plain: &known.plain,
                powers: known.power.iter().collect(),
                art6: &known.art6,
                conditions: known.conditions.iter().collect(),
            })
        };
        supply.or_else(receive)
    }
}

/// A code of the register of law, with what it stands for.
pub(super) fn of_law(register: &[law::Entry], code: &str) -> String {
    law::plain(register, code).map_or_else(|| code.to_owned(), |plain| format!("{plain} ({code})"))
}
