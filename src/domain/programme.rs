//! The programme: its criteria areas, versioned criteria, purposes, roles and feed calendar.
//!
//! The number of areas, the threshold and every label come from `policies/programme.toml`; nothing
//! here counts to six. Criteria carry the dates from which they hold, because the same code can mean
//! different things in different years and a claim must be replayed as at its date.

use std::collections::BTreeSet;

use jiff::ToSpan as _;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

pub use super::claim_rules::{ClaimRules, EmploymentRule, Ladder};
pub use super::criterion::{AppliesTo, CriteriaVersion, Criterion, SchoolTerm, Window};
pub use super::feed::Feed;
pub use super::relationship::{Danger, Relationship};

use super::ids::{AgencyCode, AreaCode, CriterionCode, FeedCode, LocalityCode, ProgrammeCode, PurposeCode, RoleCode};
use super::item::Item;
use super::law;
use super::policy_file::{self, Fault, Faults, FileHash, says_something};
use super::record::Flag;
use super::referral::ReferralRules;
use super::retention::{self, DataItem, RetentionRule};
use super::statistics::profile::Thresholds;

/// A criteria area.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Area {
    /// Its code, such as `A2`.
    pub code: AreaCode,
    /// Its title.
    pub title: String,
    /// What it is about, in one sentence.
    pub plain: String,
    /// The file states that the programme has no criterion for it.
    #[serde(default)]
    pub no_criteria: bool,
    /// Special category or confidential data: a release needs an Article 9 condition.
    #[serde(default)]
    pub special_category: bool,
    /// Criminal-offence data: a release needs an Article 10 or Schedule 1 condition.
    #[serde(default)]
    pub criminal_offence: bool,
    /// Health data: a release needs the Caldicott Guardian's sign-off.
    #[serde(default)]
    pub health: bool,
}

/// When a family is eligible.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Eligibility {
    /// The rule in plain words.
    pub plain: String,
    /// How many areas must be met.
    pub threshold_areas: u8,
}

/// What an answer may be asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Purpose {
    /// Its code.
    pub code: PurposeCode,
    /// What it is, in plain words.
    pub plain: String,
    /// The relationships that can carry it; one must be claimed.
    pub relationships: BTreeSet<Relationship>,
    /// The asker must give its own case reference.
    #[serde(default)]
    pub needs_case_ref: bool,
    /// Yields statistics only, never an answer about a person or family.
    #[serde(default)]
    pub statistical: bool,
    /// A purpose of the Crime and Disorder Act 1998.
    #[serde(default)]
    pub crime_and_disorder: bool,
    /// A purpose that the regulations under section 131 of the Welfare Reform Act 2012 prescribe:
    /// identifying troubled families, supporting them, or evaluating that.
    #[serde(default)]
    pub wra_prescribed: bool,
}

/// What a relationship means here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RelationshipRule {
    /// Which relationship.
    pub code: Relationship,
    /// What the asker claims with it, in plain words.
    pub plain: String,
    /// Every use raises an alert that an officer closes.
    #[serde(default)]
    pub raises_alert: bool,
}

/// A role in which a person of the recipient asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoleRule {
    /// Its code.
    pub code: RoleCode,
    /// Who acts in it, in plain words.
    pub plain: String,
}

/// A part of the programme's district.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Locality {
    /// Its code.
    pub code: LocalityCode,
    /// Its name.
    pub name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProgrammeFile {
    programme: ProgrammeCode,
    title: String,
    eligibility: Eligibility,
    area: Vec<Area>,
    criterion: Vec<Criterion>,
    purpose: Vec<Purpose>,
    relationship: Vec<RelationshipRule>,
    role: Vec<RoleRule>,
    #[serde(default)]
    term: Vec<SchoolTerm>,
    #[serde(default)]
    locality: Vec<Locality>,
    #[serde(default)]
    statistics: Thresholds,
    feed: Vec<Feed>,
    claim: Option<ClaimRules>,
    referral: Option<ReferralRules>,
    #[serde(default)]
    retention: Vec<RetentionRule>,
}

/// The programme file, parsed and consistent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Programme {
    code: ProgrammeCode,
    title: String,
    eligibility: Eligibility,
    areas: Vec<Area>,
    criteria: Vec<Criterion>,
    purposes: Vec<Purpose>,
    relationships: Vec<RelationshipRule>,
    roles: Vec<RoleRule>,
    terms: Vec<SchoolTerm>,
    localities: Vec<Locality>,
    statistics: Thresholds,
    feeds: Vec<Feed>,
    claim: Option<ClaimRules>,
    referral: Option<ReferralRules>,
    retention: Vec<RetentionRule>,
    file: FileHash,
}

impl Programme {
    /// Reads `policies/programme.toml`.
    ///
    /// # Errors
    ///
    /// [`Faults`] for unknown or missing keys, codes listed twice, versions of one criterion that
    /// overlap, references to what the file does not list, and empty sentences.
    pub fn parse(bytes: &[u8]) -> Result<Self, Faults> {
        let read: ProgrammeFile = policy_file::read(bytes)?;
        let mut programme = Self {
            code: read.programme,
            title: read.title,
            eligibility: read.eligibility,
            areas: read.area,
            criteria: read.criterion,
            purposes: read.purpose,
            relationships: read.relationship,
            roles: read.role,
            terms: read.term,
            localities: read.locality,
            statistics: read.statistics,
            feeds: read.feed,
            claim: read.claim,
            referral: read.referral,
            retention: read.retention,
            file: FileHash::of(bytes),
        };
        programme.terms.sort_by_key(|term| term.starts);
        let faults = programme.faults();
        Faults::or(faults, programme)
    }

    /// The programme's code.
    pub fn code(&self) -> &ProgrammeCode {
        &self.code
    }
    /// Its title.
    pub fn title(&self) -> &str {
        &self.title
    }
    /// When a family is eligible.
    pub fn eligibility(&self) -> &Eligibility {
        &self.eligibility
    }
    /// The criteria areas, in the file's order.
    pub fn areas(&self) -> &[Area] {
        &self.areas
    }
    /// The area of this code.
    pub fn area(&self, code: &AreaCode) -> Option<&Area> {
        self.areas.iter().find(|area| area.code == *code)
    }
    /// Every version of every criterion.
    pub fn criteria(&self) -> &[Criterion] {
        &self.criteria
    }
    /// Whether any version of a criterion has this code.
    pub fn knows_criterion(&self, code: &CriterionCode) -> bool {
        self.criteria.iter().any(|criterion| criterion.code == *code)
    }
    /// The purposes.
    pub fn purposes(&self) -> &[Purpose] {
        &self.purposes
    }
    /// The purpose of this code.
    pub fn purpose(&self, code: &PurposeCode) -> Option<&Purpose> {
        self.purposes.iter().find(|purpose| purpose.code == *code)
    }
    /// The relationships in use.
    pub fn relationships(&self) -> &[RelationshipRule] {
        &self.relationships
    }
    /// The roles.
    pub fn roles(&self) -> &[RoleRule] {
        &self.roles
    }
    /// The role of this code.
    pub fn role(&self, code: &RoleCode) -> Option<&RoleRule> {
        self.roles.iter().find(|role| role.code == *code)
    }
    /// The school terms, by date.
    pub fn terms(&self) -> &[SchoolTerm] {
        &self.terms
    }
    /// The parts of the district.
    pub fn localities(&self) -> &[Locality] {
        &self.localities
    }
    /// The part of the district of this code.
    pub fn locality(&self, code: &LocalityCode) -> Option<&Locality> {
        self.localities.iter().find(|locality| locality.code == *code)
    }
    /// Under which counts its tables show nothing.
    pub fn statistics(&self) -> &Thresholds {
        &self.statistics
    }
    /// The feed calendar.
    pub fn feeds(&self) -> &[Feed] {
        &self.feeds
    }
    /// One line of the feed calendar.
    pub fn feed(&self, agency: &AgencyCode, code: &FeedCode) -> Option<&Feed> {
        self.feeds.iter().find(|feed| feed.agency == *agency && feed.code == *code)
    }
    /// What a claim for a result needs; `None` where the programme claims nothing.
    pub fn claim(&self) -> Option<&ClaimRules> {
        self.claim.as_ref()
    }
    /// How long what is kept; no rule means that it is kept.
    pub fn retention(&self, item: DataItem) -> Option<&RetentionRule> {
        self.retention.iter().find(|rule| rule.item == item)
    }

    /// The purposes of a referral's steps; `None` where the programme takes no referrals.
    pub fn referral(&self) -> Option<&ReferralRules> {
        self.referral.as_ref()
    }
    /// The area of what a feed may say by a code that is no criterion: a confirmation of work.
    pub fn area_of_confirmation(&self, code: &CriterionCode) -> Option<&AreaCode> {
        let employment = self.claim.as_ref()?.employment.as_ref().filter(|rule| rule.confirmation == *code)?;
        self.criteria.iter().find(|criterion| criterion.code == employment.criterion).map(|criterion| &criterion.area)
    }
    /// The hash of the file.
    pub fn file(&self) -> FileHash {
        self.file
    }

    /// The criteria that hold on a day.
    pub fn criteria_at(&self, day: Date) -> CriteriaVersion<'_> {
        let mut from = Date::MIN;
        let mut until: Option<Date> = None;
        for boundary in self.criteria.iter().flat_map(|c| boundaries(c.effective_from, c.effective_to)) {
            if boundary <= day {
                from = from.max(boundary);
            } else {
                until = Some(until.map_or(boundary, |sooner| sooner.min(boundary)));
            }
        }
        let criteria = self.criteria.iter().filter(|criterion| criterion.is_effective(day)).collect();
        CriteriaVersion { from, until, criteria }
    }

    /// The first day after `day` on which another set of criteria or another feed calendar holds.
    pub fn next_change(&self, day: Date) -> Option<Date> {
        let criteria = self.criteria.iter().flat_map(|c| boundaries(c.effective_from, c.effective_to));
        let feeds = self.feeds.iter().flat_map(|f| boundaries(f.effective_from, f.effective_to));
        criteria.chain(feeds).filter(|boundary| *boundary > day).min()
    }
    /// The feeds that the calendar expects for a criterion on a day, in the file's order.
    pub fn expected_feeds(&self, criterion: &CriterionCode, day: Date) -> impl Iterator<Item = &Feed> {
        let criterion = criterion.clone();
        self.feeds.iter().filter(move |feed| feed.is_effective(day) && feed.criteria.contains(&criterion))
    }
    /// The suppliers that the calendar expects for a criterion on a day, sorted.
    pub fn expected_suppliers(&self, criterion: &CriterionCode, day: Date) -> BTreeSet<AgencyCode> {
        self.expected_feeds(criterion, day).map(|feed| feed.agency.clone()).collect()
    }

    /// What a feed can contribute on a day: the areas of its criteria, and its other items.
    pub fn items_of(&self, feed: &Feed, day: Date) -> BTreeSet<Item> {
        let areas = self
            .criteria
            .iter()
            .filter(|criterion| criterion.is_effective(day) && feed.criteria.contains(&criterion.code))
            .map(|criterion| Item::Area(criterion.area.clone()));
        areas.chain(feed.items.iter().cloned()).collect()
    }

    /// The first day of a criterion's window as at a day; `None` when the school terms it needs are
    /// not in the file.
    pub fn window_start(&self, window: Window, at: Date) -> Option<Date> {
        match window {
            Window::Months(months) => at.checked_sub(i64::from(months).months()).ok(),
            Window::Current => Some(at),
            Window::Terms(count) => {
                let ended = self.terms.iter().rev().filter(|term| term.ends < at);
                ended.take(usize::from(count)).nth(usize::from(count.checked_sub(1)?)).map(|term| term.starts)
            }
        }
    }

    /// Whether a flag's event or period falls in the criterion's window as at a day; `None` when the
    /// school terms it needs are not in the file.
    pub fn is_in_window(&self, criterion: &Criterion, flag: &Flag, at: Date) -> Option<bool> {
        let start = self.window_start(criterion.window, at)?;
        Some(flag.from <= at && flag.to.is_none_or(|to| to >= start))
    }

    fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        if self.eligibility.threshold_areas == 0 || usize::from(self.eligibility.threshold_areas) > self.areas.len() {
            let sentence = "the threshold lies between 1 and the number of areas";
            faults.push(Fault::at("eligibility.threshold_areas", "threshold", sentence));
        }
        duplicates("area", self.areas.iter().map(|a| a.code.as_str()), &mut faults);
        duplicates("purpose", self.purposes.iter().map(|p| p.code.as_str()), &mut faults);
        duplicates("relationship", self.relationships.iter().map(|r| r.code), &mut faults);
        duplicates("role", self.roles.iter().map(|r| r.code.as_str()), &mut faults);
        duplicates("locality", self.localities.iter().map(|l| l.code.as_str()), &mut faults);
        duplicates("term", self.terms.iter().map(|t| t.code.as_str()), &mut faults);
        duplicates("feed", self.feeds.iter().map(|f| (f.agency.as_str(), f.code.as_str())), &mut faults);
        plain("area", self.areas.iter().map(|a| a.plain.as_str()), &mut faults);
        plain("criterion", self.criteria.iter().map(|c| c.plain.as_str()), &mut faults);
        plain("purpose", self.purposes.iter().map(|p| p.plain.as_str()), &mut faults);
        plain("relationship", self.relationships.iter().map(|r| r.plain.as_str()), &mut faults);
        plain("role", self.roles.iter().map(|r| r.plain.as_str()), &mut faults);
        plain("feed", self.feeds.iter().map(|f| f.plain.as_str()), &mut faults);
        self.area_faults(&mut faults);
        self.criterion_faults(&mut faults);
        self.purpose_faults(&mut faults);
        self.term_faults(&mut faults);
        self.feed_faults(&mut faults);
        self.claim.iter().for_each(|rules| rules.faults(self, &mut faults));
        self.referral.iter().for_each(|rules| rules.faults(self, &mut faults));
        retention::faults(&self.retention, &mut faults);
        faults
    }

    fn area_faults(&self, faults: &mut Vec<Fault>) {
        for (n, area) in self.areas.iter().enumerate() {
            let has_criteria = self.criteria.iter().any(|criterion| criterion.area == area.code);
            if has_criteria == area.no_criteria {
                let sentence = "an area either has criteria or says `no_criteria = true`";
                faults.push(Fault::at(format!("area[{n}].no_criteria"), "contradiction", sentence));
            }
            if !matches!(Item::try_from(area.code.to_string()), Ok(Item::Area(_))) {
                let sentence = "the code is the name of another item";
                faults.push(Fault::at(format!("area[{n}].code"), "reserved", sentence));
            }
            if area.health && !area.special_category {
                let sentence = "health data are special category data";
                faults.push(Fault::at(format!("area[{n}].special_category"), "contradiction", sentence));
            }
        }
    }

    fn criterion_faults(&self, faults: &mut Vec<Fault>) {
        for (n, criterion) in self.criteria.iter().enumerate() {
            if self.area(&criterion.area).is_none() {
                let sentence = "the programme lists no such area";
                faults.push(Fault::at(format!("criterion[{n}].area"), "unknown-area", sentence));
            }
            if matches!(criterion.window, Window::Months(0) | Window::Terms(0)) {
                let sentence = "a window covers at least one month or term";
                faults.push(Fault::at(format!("criterion[{n}].window"), "empty", sentence));
            }
            if criterion.from_attendance && !matches!(criterion.window, Window::Terms(_)) {
                let sentence = "attendance is known by school term, so the window is in terms";
                faults.push(Fault::at(format!("criterion[{n}].from_attendance"), "contradiction", sentence));
            }
            if criterion.effective_to.is_some_and(|last| last < criterion.effective_from) {
                let sentence = "it ends before it begins";
                faults.push(Fault::at(format!("criterion[{n}].effective_to"), "order", sentence));
            }
            let overlaps = |other: &Criterion| {
                other.code == criterion.code
                    && other.effective_from <= criterion.effective_to.unwrap_or(Date::MAX)
                    && criterion.effective_from <= other.effective_to.unwrap_or(Date::MAX)
            };
            if self.criteria[..n].iter().any(overlaps) {
                let sentence = "two versions of one criterion hold on the same day";
                faults.push(Fault::at(format!("criterion[{n}].effective_from"), "overlap", sentence));
            }
            let needed = match criterion.window {
                Window::Terms(count) => usize::from(count),
                _ => 0,
            };
            if self.terms.len() < needed {
                let sentence = "the file lists fewer school terms than the window needs";
                faults.push(Fault::at(format!("criterion[{n}].window"), "missing-terms", sentence));
            }
        }
    }

    fn purpose_faults(&self, faults: &mut Vec<Fault>) {
        for (n, purpose) in self.purposes.iter().enumerate() {
            let unknown = |asked: &Relationship| !self.relationships.iter().any(|known| known.code == *asked);
            if purpose.relationships.is_empty() || purpose.relationships.iter().any(unknown) {
                let sentence = "a purpose names at least one relationship, and only listed ones";
                faults.push(Fault::at(format!("purpose[{n}].relationships"), "unknown-relationship", sentence));
            }
        }
    }

    fn term_faults(&self, faults: &mut Vec<Fault>) {
        for (n, term) in self.terms.iter().enumerate() {
            if term.ends < term.starts || n > 0 && self.terms[n - 1].ends >= term.starts {
                let sentence = "a school term ends after it starts and before the next one starts";
                faults.push(Fault::at(format!("term[{n}].ends"), "order", sentence));
            }
            if FeedCode::parse(&term.code).is_err() {
                let sentence = "a term's code is letters, digits, '-', '_' or '.'";
                faults.push(Fault::at(format!("term[{n}].code"), "malformed", sentence));
            }
        }
    }

    fn feed_faults(&self, faults: &mut Vec<Fault>) {
        for (n, feed) in self.feeds.iter().enumerate() {
            let knows = |code| self.knows_criterion(code) || self.area_of_confirmation(code).is_some();
            if !feed.criteria.iter().all(knows) {
                let sentence = "the programme lists no such criterion";
                faults.push(Fault::at(format!("feed[{n}].criteria"), "unknown-criterion", sentence));
            }
            if feed.items.iter().any(|item| item.area().is_some()) {
                let sentence = "areas follow from the criteria; list lead, service, attendance, household or locality";
                faults.push(Fault::at(format!("feed[{n}].items"), "area-as-item", sentence));
            }
            if feed.received_under.iter().any(|code| law::plain(&law::POWERS, code.as_str()).is_none()) {
                let sentence = "the register has no such legal power";
                faults.push(Fault::at(format!("feed[{n}].received_under"), "unknown-power", sentence));
            }
            if feed.authoritative_for_addresses && !feed.items.contains(&Item::Household) {
                let sentence = "only a feed that supplies household tokens can be authoritative for addresses";
                faults.push(Fault::at(format!("feed[{n}].items"), "contradiction", sentence));
            }
            if feed.expected_every_days == 0 {
                let sentence = "a feed is expected every so many days, at least 1";
                faults.push(Fault::at(format!("feed[{n}].expected_every_days"), "empty", sentence));
            }
            if feed.effective_to.is_some_and(|last| last < feed.effective_from) {
                let sentence = "it ends before it begins";
                faults.push(Fault::at(format!("feed[{n}].effective_to"), "order", sentence));
            }
        }
    }
}

/// The days on which something starts to hold and stops holding.
fn boundaries(from: Date, to: Option<Date>) -> impl Iterator<Item = Date> {
    std::iter::once(from).chain(to.and_then(|last| last.tomorrow().ok()))
}

fn duplicates<C: Ord>(table: &str, codes: impl Iterator<Item = C>, faults: &mut Vec<Fault>) {
    let mut seen = BTreeSet::new();
    for (n, code) in codes.enumerate() {
        if !seen.insert(code) {
            faults.push(Fault::at(format!("{table}[{n}].code"), "duplicate", "the code is listed twice"));
        }
    }
}

fn plain<'a>(table: &str, sentences: impl Iterator<Item = &'a str>, faults: &mut Vec<Fault>) {
    for (n, sentence) in sentences.enumerate() {
        if !says_something(sentence) {
            faults.push(Fault::at(format!("{table}[{n}].plain"), "empty", "say it in one plain sentence"));
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::super::record::{EvidenceGrade, FlagState};
    use super::super::time::Timestamp;
    use super::*;

    const SHIPPED: &str = include_str!("../../policies/programme.toml");

    fn shipped() -> Programme {
        Programme::parse(SHIPPED.as_bytes()).unwrap_or_else(|faults| panic!("{faults}"))
    }
    fn day(text: &str) -> Date {
        text.parse().expect("well-formed")
    }
    fn code(text: &str) -> CriterionCode {
        CriterionCode::parse(text).expect("well-formed")
    }
    fn flag(from: &str, to: Option<&str>) -> Flag {
        Flag {
            criterion: code("E1"),
            state: FlagState::Met,
            from: day(from),
            to: to.map(day),
            evidence: EvidenceGrade::Hard,
        }
    }

    #[test]
    fn the_shipped_programme_has_six_areas_and_says_which_have_no_criterion() {
        let programme = shipped();
        let without: Vec<_> = programme.areas().iter().filter(|a| a.no_criteria).map(|a| a.code.as_str()).collect();
        assert_eq!((programme.areas().len(), without), (6, vec!["A5", "A6"]));
        assert_eq!(programme.eligibility().threshold_areas, 2);
    }

    #[test]
    fn adult_offences_count_only_from_the_day_they_were_added() {
        let programme = shipped();
        let before = programme.criteria_at(day("2017-03-31"));
        let after = programme.criteria_at(day("2017-04-01"));
        assert!(before.criterion(&code("C2")).is_none());
        assert!(after.criterion(&code("C2")).is_some());
        assert_eq!(before.until, Some(day("2017-04-01")));
        assert_eq!(after.name(), "2017-04-01");
    }

    #[test]
    fn a_planned_criterion_is_in_the_file_but_not_in_force() {
        let programme = shipped();
        let now = programme.criteria_at(day("2026-11-21"));
        assert!(now.criterion(&code("N1")).is_none());
        let planned = now.until.expect("another version is planned");
        assert!(programme.criteria_at(planned).criterion(&code("N1")).is_some());
        assert_eq!(programme.next_change(day("2026-11-21")), Some(planned));
    }

    #[test]
    fn every_criterion_in_force_has_a_supplier_that_the_calendar_expects() {
        let programme = shipped();
        let today = day("2026-11-21");
        for criterion in programme.criteria_at(today).criteria {
            assert!(!programme.expected_suppliers(&criterion.code, today).is_empty(), "{}", criterion.code);
        }
    }

    #[test]
    fn a_feed_is_late_after_its_interval_and_grace_and_not_before() {
        let programme = shipped();
        let feed = Feed { expected_every_days: 31, grace_days: 7, ..programme.feeds()[0].clone() };
        let as_at = day("2026-05-01");
        let last_good = Timestamp::start_of(day("2026-06-08")).plus_seconds(86_399);
        assert!(!feed.is_late(as_at, last_good));
        assert!(feed.is_late(as_at, last_good.plus_seconds(1)));
        assert_eq!(feed.next_due(as_at), day("2026-06-01"));
    }

    #[rstest]
    #[case::months(Window::Months(12), Some("2025-11-21"))]
    #[case::current(Window::Current, Some("2026-11-21"))]
    #[case::three_ended_terms(Window::Terms(3), Some("2025-09-03"))]
    #[case::more_terms_than_listed(Window::Terms(60), None)]
    #[case::no_terms_is_no_window(Window::Terms(0), None)]
    fn a_window_starts_where_its_rule_says(#[case] window: Window, #[case] start: Option<&str>) {
        assert_eq!(shipped().window_start(window, day("2026-11-21")), start.map(day));
    }

    #[rstest]
    #[case::inside("2026-03-01", Some("2026-03-31"), Some(true))]
    #[case::ended_before("2025-01-01", Some("2025-09-02"), Some(false))]
    #[case::still_going_on("2024-01-01", None, Some(true))]
    #[case::in_the_future("2026-11-22", None, Some(false))]
    fn a_flag_counts_inside_the_window_only(#[case] from: &str, #[case] to: Option<&str>, #[case] is_in: Option<bool>) {
        let programme = shipped();
        let version = programme.criteria_at(day("2026-11-21"));
        let attendance = version.criterion(&code("E1")).expect("in force");
        assert_eq!(programme.is_in_window(attendance, &flag(from, to), day("2026-11-21")), is_in);
    }

    #[rstest]
    #[case::threshold("threshold_areas = 2", "threshold_areas = 7", "eligibility.threshold_areas", "threshold")]
    #[case::area("area = \"A1\"", "area = \"A9\"", "criterion[0].area", "unknown-area")]
    #[case::statement("no_criteria = true", "no_criteria = false", "area[4].no_criteria", "contradiction")]
    #[case::relationship("code = \"screening\"", "code = \"emergency\"", "relationship[4].code", "duplicate")]
    #[case::feed("expected_every_days = 31", "expected_every_days = 0", "", "empty")]
    #[case::power("cadence = \"weekly\"", "cadence = \"weekly\"\nreceived_under = [\"WRA2012\"]", "", "unknown-power")]
    #[case::key("title =", "titel =", "", "malformed")]
    fn a_faulty_programme_is_refused_with_its_key_and_code(
        #[case] from: &str,
        #[case] to: &str,
        #[case] key: &str,
        #[case] code: &str,
    ) {
        let faulty = SHIPPED.replacen(from, to, 1);
        assert_ne!(faulty, SHIPPED, "the replacement must find its text");
        let faults = Programme::parse(faulty.as_bytes()).expect_err("faulty");
        assert!(faults.0.iter().any(|f| f.code == code && (key.is_empty() || f.key == key)), "{faults}");
    }

    #[test]
    fn two_versions_of_a_criterion_may_not_overlap() {
        let again = SHIPPED.split_once("[[criterion]]").expect("has criteria").1;
        let first = again.split_once("[[").expect("has more tables").0;
        let faulty = format!("{SHIPPED}\n[[criterion]]{first}");
        let faults = Programme::parse(faulty.as_bytes()).expect_err("overlap");
        assert!(faults.0.iter().any(|fault| fault.code == "overlap"), "{faults}");
    }
}
