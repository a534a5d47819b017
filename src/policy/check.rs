//! What `porth policy check` runs over the files under `policies/`, all in memory.
//!
//! Every file is parsed strictly, references between files are followed, the rule book is validated
//! and self-tested, and the cases beside the agreements are run with every agreement taken as signed
//! and in force.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Serialize;

use super::book::PolicyBook;
use super::cases::Cases;
use super::limits::Limits;
use super::rules::RuleBook;
use super::self_test::self_test;
use crate::domain::agency::Agency;
use crate::domain::agreement::{Agreement, AgreementText, Item, Profile};
use crate::domain::ids::{AgencyCode, AreaCode, PurposeCode};
use crate::domain::policy_file::{Fault, Faults};
use crate::domain::programme::Programme;

/// The cases of the statutory limits.
const LIMITS: &str = "rules/statutory.cases.toml";

/// A file's path below `policies/` and its bytes.
pub type File = (String, Vec<u8>);

/// The files to check.
#[derive(Debug, Clone, Default)]
pub struct PolicyFiles {
    /// `programme.toml`.
    pub programme: Option<File>,
    /// Whether a match-key file is there; its own reader checks the content.
    pub match_keys_present: bool,
    /// `agencies/*.toml`.
    pub agencies: Vec<File>,
    /// `agreements/*.toml` without the cases.
    pub agreements: Vec<File>,
    /// `rules/*.cedar` and the schema, by their names without a folder.
    pub rules: Vec<File>,
    /// `agreements/*.cases.toml`, `rules/cases.toml` and `rules/statutory.cases.toml`.
    pub cases: Vec<File>,
}

/// One thing that is wrong, with its file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Which file.
    pub file: String,
    /// What is wrong in it.
    #[serde(flatten)]
    pub fault: Fault,
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.file, self.fault)
    }
}

/// What an agreement allows although it is weak.
fn weaknesses(text: &AgreementText) -> impl Iterator<Item = String> {
    text.parties().iter().filter_map(move |party| {
        let legacy = party.legacy_tokens.as_ref()?;
        let (reference, agency, until) = (text.reference(), &party.agency, legacy.until);
        Some(format!("{reference}: until {until}, {agency} may match with old hash values: {}", legacy.plain))
    })
}

/// What the check found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Everything that is wrong, in the order of the files.
    pub findings: Vec<Finding>,
    /// What is allowed and weak, so that nobody signs it unseen.
    pub weaknesses: Vec<String>,
    /// How many agencies were read.
    pub agencies: usize,
    /// How many agreements were read.
    pub agreements: usize,
    /// How many rules forbid.
    pub rules: usize,
    /// How many cases were run.
    pub cases: usize,
    /// What is allowed and yet should be seen: no fault.
    pub remarks: Vec<Finding>,
}

impl Report {
    /// Whether nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }

    fn fault(&mut self, file: &str, fault: Fault) {
        self.findings.push(Finding { file: file.to_owned(), fault });
    }

    fn keep<T>(&mut self, file: &str, read: Result<T, Faults>) -> Option<T> {
        read.map_err(|faults| faults.0.into_iter().for_each(|fault| self.fault(file, fault))).ok()
    }
}

/// Checks the files. Finds as much as it can in one go.
pub fn check(files: &PolicyFiles) -> Report {
    let mut report = Report::default();
    let programme = read_programme(files, &mut report);
    let agencies = read_agencies(files, &mut report);
    let agreements = read_agreements(files, &mut report);
    let rules = read_rules(files, &mut report);
    report.weaknesses = agreements.iter().flat_map(|(_, text)| weaknesses(text)).collect();
    let Some(programme) = programme else {
        return report;
    };
    let programme = Arc::new(programme);
    for (file, agency) in &agencies {
        agency_references(&programme, file, agency, &mut report);
    }
    feed_references(files, &programme, &agencies, &mut report);
    for (file, text) in &agreements {
        agreement_references(&programme, &agencies, file, text, &mut report);
    }
    let Some(rules) = rules else {
        return report;
    };
    let rules = Arc::new(rules);
    let rebuild = |agreements: Vec<Agreement>| {
        let agencies = agencies.iter().map(|(_, agency)| agency.clone());
        PolicyBook::new(programme.clone(), agencies, agreements, rules.clone(), 0)
    };
    let in_force = agreements.iter().map(|(_, text)| Agreement::in_force(text.clone())).collect();
    match rebuild(in_force) {
        Ok(book) => {
            if let Err(error) = self_test(&book) {
                report.fault("rules", Fault::at("", "self-test", error.to_string()));
            }
            run_cases(files, &agreements, &book, &|changed| rebuild(changed).ok(), &mut report);
        }
        Err(error) => report.fault("agreements", Fault::at("", "book", error.to_string())),
    }
    report
}

fn read_programme(files: &PolicyFiles, report: &mut Report) -> Option<Programme> {
    if !files.match_keys_present {
        report.fault("match-keys.toml", Fault::at("", "missing", "the match-key file is missing"));
    }
    let Some((file, bytes)) = &files.programme else {
        report.fault("programme.toml", Fault::at("", "missing", "the programme file is missing"));
        return None;
    };
    let read = Programme::parse(bytes);
    report.keep(file, read)
}

fn read_agencies(files: &PolicyFiles, report: &mut Report) -> Vec<(String, Agency)> {
    let mut agencies: Vec<(String, Agency)> = Vec::new();
    for (file, bytes) in &files.agencies {
        if let Some(agency) = report.keep(file, Agency::parse(bytes)) {
            if agencies.iter().any(|(_, other)| other.code() == agency.code()) {
                report.fault(file, Fault::at("code", "duplicate", "another file describes this agency"));
                continue;
            }
            agencies.push((file.clone(), agency));
        }
    }
    report.agencies = agencies.len();
    agencies
}

fn read_agreements(files: &PolicyFiles, report: &mut Report) -> Vec<(String, Arc<AgreementText>)> {
    let mut agreements: Vec<(String, Arc<AgreementText>)> = Vec::new();
    for (file, bytes) in &files.agreements {
        if let Some(text) = report.keep(file, AgreementText::parse(bytes)) {
            if agreements.iter().any(|(_, other)| other.reference() == text.reference()) {
                report.fault(file, Fault::at("version", "duplicate", "another file has this version"));
                continue;
            }
            agreements.push((file.clone(), Arc::new(text)));
        }
    }
    report.agreements = agreements.len();
    agreements
}

fn read_rules(files: &PolicyFiles, report: &mut Report) -> Option<RuleBook> {
    match RuleBook::load(files.rules.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice()))) {
        Ok(rules) => {
            report.rules = rules.forbids().count();
            Some(rules)
        }
        Err(error) => {
            report.fault("rules", Fault::at("", "rule-book", error.to_string()));
            None
        }
    }
}

fn agency_references(programme: &Programme, file: &str, agency: &Agency, report: &mut Report) {
    if agency.reveals_areas().iter().any(|area| programme.area(area).is_none()) {
        report.fault(file, Fault::at("reveals_areas", "unknown-area", "the programme lists no such area"));
    }
    let feeds: Vec<_> = programme.feeds().iter().filter(|feed| feed.agency == *agency.code()).collect();
    let names_itself = feeds.iter().any(|feed| feed.items.iter().any(Item::names_supplier));
    if names_itself && agency.teams().is_empty() {
        let sentence = "the agency supplies lead or service and so needs a team that others can contact";
        report.fault(file, Fault::at("team", "unknown-team", sentence));
    }
}

fn feed_references(files: &PolicyFiles, programme: &Programme, agencies: &[(String, Agency)], report: &mut Report) {
    let file = files.programme.as_ref().map_or("programme.toml", |(file, _)| file);
    for (n, feed) in programme.feeds().iter().enumerate() {
        if !agencies.iter().any(|(_, agency)| *agency.code() == feed.agency) {
            let sentence = "no file describes this agency";
            report.fault(file, Fault::at(format!("feed[{n}].agency"), "unknown-agency", sentence));
        }
    }
}

fn agreement_references(
    programme: &Programme,
    agencies: &[(String, Agency)],
    file: &str,
    text: &AgreementText,
    report: &mut Report,
) {
    let known = |code: &AgencyCode| agencies.iter().find(|(_, agency)| agency.code() == code).map(|(_, agency)| agency);
    if text.programme() != programme.code() {
        report.fault(file, Fault::at("programme", "other-programme", "the agreement belongs to another programme"));
    }
    for (n, party) in text.parties().iter().enumerate() {
        if known(&party.agency).is_none() {
            let sentence = "no file describes this agency";
            report.fault(file, Fault::at(format!("party[{n}].agency"), "unknown-agency", sentence));
        }
    }
    text.missing().into_iter().for_each(|fault| report.fault(file, fault));
    officers(programme, file, text, &known, report);
    for (n, term) in text.supplies().iter().enumerate() {
        let at = |key: &str| format!("supply[{n}].{key}");
        if let Some(sentence) = weakest_profile(term.profile) {
            let fault = Fault::at(at("profile"), "weakest-profile", sentence);
            report.remarks.push(Finding { file: file.to_owned(), fault });
        }
        term_references(programme, file, &at, &term.items, &term.purposes, report);
        if let Some(supplier) = known(&term.supplier) {
            reveals(file, &at, &term.items, supplier.reveals_areas(), report);
        }
    }
    for (n, clause) in text.receives().iter().enumerate() {
        let at = |key: &str| format!("receive[{n}].{key}");
        term_references(programme, file, &at, &clause.items, &clause.purposes, report);
        if clause.roles.iter().any(|role| programme.role(role).is_none()) {
            report.fault(file, Fault::at(at("roles"), "unknown-role", "the programme lists no such role"));
        }
        for supplier in clause.suppliers.iter().filter_map(known) {
            reveals(file, &at, &clause.items, supplier.reveals_areas(), report);
        }
    }
}

/// Every party's own file names who answers for data protection there; posts, never people.
fn officers<'a>(
    programme: &Programme,
    file: &str,
    text: &AgreementText,
    known: &dyn Fn(&AgencyCode) -> Option<&'a Agency>,
    report: &mut Report,
) {
    let is_health = |item: &&Item| item.area().and_then(|area| programme.area(area)).is_some_and(|area| area.health);
    let has_health = text.listed_items().iter().any(is_health);
    for (n, party) in text.parties().iter().enumerate() {
        let Some(officers) = known(&party.agency).map(Agency::officers) else { continue };
        for (post, named) in [
            ("the register number of the Information Commissioner's Office", &officers.ico_number),
            ("a data protection officer", &officers.data_protection_officer),
            ("a senior information risk owner", &officers.risk_owner),
            ("a Caldicott Guardian", &officers.caldicott_guardian),
        ] {
            let needed = has_health || post != "a Caldicott Guardian";
            if needed && named.as_deref().is_none_or(|named| named.trim().is_empty()) {
                let sentence = format!("the party's own file does not name {post}");
                report.fault(file, Fault::at(format!("party[{n}].agency"), "incomplete", sentence));
            }
        }
    }
}

/// What is said of a privacy profile that should not be chosen without thought.
pub fn weakest_profile(profile: Profile) -> Option<&'static str> {
    (profile == Profile::C).then_some(
        "privacy profile C, the weakest: its records also carry fuzzy encodings, which show a match run how alike two \
         people are",
    )
}

fn term_references(
    programme: &Programme,
    file: &str,
    at: &dyn Fn(&str) -> String,
    items: &BTreeSet<Item>,
    purposes: &BTreeSet<PurposeCode>,
    report: &mut Report,
) {
    if items.iter().filter_map(Item::area).any(|area| programme.area(area).is_none()) {
        report.fault(file, Fault::at(at("items"), "unknown-area", "the programme lists no such area"));
    }
    if purposes.iter().any(|purpose| programme.purpose(purpose).is_none()) {
        report.fault(file, Fault::at(at("purposes"), "unknown-purpose", "the programme lists no such purpose"));
    }
}

/// A term that names its supplier must list what the name reveals, or it permits nothing.
fn reveals(
    file: &str,
    at: &dyn Fn(&str) -> String,
    items: &BTreeSet<Item>,
    revealed: &BTreeSet<AreaCode>,
    report: &mut Report,
) {
    let names = items.iter().any(Item::names_supplier);
    if names && revealed.iter().any(|area| !items.contains(&Item::Area(area.clone()))) {
        let sentence = "lead and service name a supplier whose name reveals an area that the term does not list";
        let fault = Fault::at(at("items"), "reveals-area", sentence);
        report.fault(file, fault);
    }
}

fn run_cases(
    files: &PolicyFiles,
    agreements: &[(String, Arc<AgreementText>)],
    book: &PolicyBook,
    rebuild: &dyn Fn(Vec<Agreement>) -> Option<PolicyBook>,
    report: &mut Report,
) {
    let cases: BTreeMap<&str, &[u8]> = files.cases.iter().map(|(file, bytes)| (file.as_str(), &bytes[..])).collect();
    for (file, _) in agreements {
        let beside = file.strip_suffix(".toml").map(|stem| format!("{stem}.cases.toml"));
        if !beside.is_some_and(|beside| cases.contains_key(beside.as_str())) {
            report.fault(file, Fault::at("", "no-cases", "an agreement needs test cases beside it"));
        }
    }
    for (file, bytes) in cases {
        if file == LIMITS {
            run_limits(file, bytes, book, report);
            continue;
        }
        let Some(read) = report.keep(file, Cases::parse(bytes)) else {
            continue;
        };
        report.cases += read.len();
        if read.is_empty() {
            report.fault(file, Fault::at("case", "empty", "a file of cases has at least one"));
        }
        for fault in read.run(book, rebuild) {
            report.fault(file, fault);
        }
    }
}

fn run_limits(file: &str, bytes: &[u8], book: &PolicyBook, report: &mut Report) {
    let Some(read) = report.keep(file, Limits::parse(bytes)) else {
        return;
    };
    report.cases += read.len();
    let tested = read.rules();
    for rule in book.rules().forbids().filter(|rule| rule.rule.starts_with('S')) {
        if !tested.contains(rule.rule.as_str()) {
            let sentence = format!("rule {} has no case that it stops", rule.rule);
            report.fault(file, Fault::at("case", "no-cases", sentence));
        }
    }
    for fault in read.run(&book.shared_rules()) {
        report.fault(file, fault);
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::super::fixtures::{AGENCIES, AGREEMENTS};
    use super::super::rules::SHIPPED;
    use super::*;

    const CASES: [(&str, &str); 9] = [
        ("agreements/benefits-data.cases.toml", include_str!("../../policies/agreements/benefits-data.cases.toml")),
        (
            "agreements/charity-referral.cases.toml",
            include_str!("../../policies/agreements/charity-referral.cases.toml"),
        ),
        ("agreements/early-help-core.cases.toml", include_str!("../../policies/agreements/early-help-core.cases.toml")),
        ("agreements/housing-support.cases.toml", include_str!("../../policies/agreements/housing-support.cases.toml")),
        ("agreements/police-contact.cases.toml", include_str!("../../policies/agreements/police-contact.cases.toml")),
        (
            "agreements/programme-delivery.cases.toml",
            include_str!("../../policies/agreements/programme-delivery.cases.toml"),
        ),
        (
            "agreements/safeguarding-partners.cases.toml",
            include_str!("../../policies/agreements/safeguarding-partners.cases.toml"),
        ),
        ("rules/cases.toml", include_str!("../../policies/rules/cases.toml")),
        (LIMITS, include_str!("../../policies/rules/statutory.cases.toml")),
    ];

    /// The shipped files; agencies and agreements are named by what they describe.
    fn shipped() -> PolicyFiles {
        let agency = |text: &&str| {
            let agency = Agency::parse(text.as_bytes()).expect("well-formed");
            (format!("agencies/{}.toml", agency.code()), text.as_bytes().to_vec())
        };
        let agreement = |text: &&str| {
            let read = AgreementText::parse(text.as_bytes()).expect("well-formed");
            (format!("agreements/{}.toml", read.reference().id), text.as_bytes().to_vec())
        };
        let named = |(name, text): &(&str, &str)| ((*name).to_owned(), text.as_bytes().to_vec());
        PolicyFiles {
            programme: Some(("programme.toml".to_owned(), include_bytes!("../../policies/programme.toml").to_vec())),
            match_keys_present: true,
            agencies: AGENCIES.iter().map(agency).collect(),
            agreements: AGREEMENTS.iter().map(agreement).collect(),
            rules: SHIPPED.iter().map(named).collect(),
            cases: CASES.iter().map(named).collect(),
        }
    }

    fn edit(files: &mut [File], name: &str, from: &str, to: &str) {
        let (_, bytes) = files.iter_mut().find(|(file, _)| file == name).expect("the file is shipped");
        let text = String::from_utf8(bytes.clone()).expect("text");
        assert!(text.contains(from), "the replacement must find its text");
        *bytes = text.replacen(from, to, 1).into_bytes();
    }

    #[test]
    fn the_weakest_privacy_profile_is_remarked_upon_and_is_no_fault() {
        let mut files = shipped();
        assert_eq!(check(&files).remarks, []);
        edit(&mut files.agreements, "agreements/benefits-data.toml", "profile = \"A\"", "profile = \"C\"");
        let report = check(&files);
        assert!(report.is_clean(), "{:?}", report.findings);
        let remarks: Vec<String> = report.remarks.iter().map(Finding::to_string).collect();
        assert!(
            remarks.iter().any(|remark| remark.contains("agreements/benefits-data.toml") && remark.contains("weakest")),
            "{remarks:?}"
        );
    }

    #[test]
    fn the_shipped_files_are_clean_and_every_case_comes_out_as_expected() {
        let report = check(&shipped());
        let findings: Vec<String> = report.findings.iter().map(Finding::to_string).collect();
        assert_eq!(findings, Vec::<String>::new());
        assert_eq!((report.agencies, report.agreements, report.rules), (10, 7, 44));
        assert_eq!(report.cases, 49 + 56);
    }

    #[rstest]
    #[case::area(
        "agreements/housing-support.toml",
        "\"A2\", \"A3\"",
        "\"A2\", \"A9\"",
        "receive[0].items",
        "unknown-area"
    )]
    #[case::purpose(
        "agreements/housing-support.toml",
        "\"tenancy-support\"",
        "\"curiosity\"",
        "receive[0].purposes",
        "unknown-purpose"
    )]
    #[case::role(
        "agreements/housing-support.toml",
        "\"housing-officer\"",
        "\"neighbour\"",
        "receive[0].roles",
        "unknown-role"
    )]
    #[case::programme(
        "agreements/housing-support.toml",
        "programme = \"tff\"",
        "programme = \"other\"",
        "programme",
        "other-programme"
    )]
    #[case::name(
        "agreements/police-contact.toml",
        "\"A1\", \"A2\", \"A3\", \"lead\"",
        "\"A2\", \"A3\", \"lead\"",
        "receive[0].items",
        "reveals-area"
    )]
    #[case::area_of_agency("agencies/kestrel.toml", "[\"A5\"]", "[\"A9\"]", "reveals_areas", "unknown-area")]
    #[case::wider_than_expected(
        "agreements/housing-support.toml",
        "modes = [\"eligible\"]",
        "modes = [\"eligible\", \"areas\"]",
        "case[1]",
        "case-failed"
    )]
    #[case::narrower_than_expected(
        "agreements/police-contact.toml",
        "\"lead-contact\", \"safeguarding\"",
        "\"lead-contact\"",
        "case[1]",
        "case-failed"
    )]
    fn a_wrong_file_is_reported_with_file_key_and_code(
        #[case] file: &str,
        #[case] from: &str,
        #[case] to: &str,
        #[case] key: &str,
        #[case] code: &str,
    ) {
        let mut files = shipped();
        let which = if file.starts_with("agencies") { &mut files.agencies } else { &mut files.agreements };
        edit(which, file, from, to);
        let report = check(&files);
        let found = report.findings.iter().any(|f| f.fault.key == key && f.fault.code == code);
        assert!(found, "{:#?}", report.findings);
    }

    #[test]
    fn missing_files_and_agencies_are_reported() {
        let mut files = shipped();
        files.match_keys_present = false;
        files.agencies.retain(|(file, _)| file != "agencies/hearth.toml");
        files.cases.retain(|(file, _)| file != "agreements/police-contact.cases.toml");
        let codes: BTreeSet<&str> = check(&files).findings.iter().map(|finding| finding.fault.code).collect();
        for expected in ["missing", "unknown-agency", "no-cases"] {
            assert!(codes.contains(expected), "{codes:?}");
        }
        assert_eq!(check(&PolicyFiles::default()).findings.len(), 3);
    }

    #[test]
    fn a_weakened_rule_book_fails_the_check() {
        let mut files = shipped();
        edit(&mut files.rules, "statutory.cedar", "[\"police\", \"school\", \"nhs\"]", "[\"nobody\"]");
        assert!(check(&files).findings.iter().any(|finding| finding.fault.code == "self-test"));
    }
}
