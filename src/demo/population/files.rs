//! The file that an agency exports: its rows, as it knows the people, in its own columns.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;

use super::Population;
use super::calendar::{FeedName, before};
use super::names::mistyped;
use super::people::{Fact, Family, FamilyKind, PersonId};
use super::places::neighbouring;
use super::profiles::{Column, Profile, profiles};
use super::random::Random;
use crate::domain::ids::{CriterionCode, LocalityCode, TeamRoute};
use crate::domain::record::{
    Coverage, Evidence, EvidenceGrade, Flag, FlagState, ParentalResponsibility, Role, Service, ServiceStatus,
};
use crate::domain::time::Month;

/// An agency's export for one feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgencyFile {
    /// The agency and its feed.
    pub name: FeedName,
    /// The agreement under which it is submitted.
    pub agreement: &'static str,
    /// The day that it describes.
    pub as_at: Date,
    /// What each column holds, and its heading.
    pub columns: Vec<(Column, String)>,
    /// The agency's teams.
    pub teams: &'static [&'static str],
    /// One row for each person that the agency knows.
    pub rows: Vec<Row>,
}

/// One row of an agency's file, and whose it truly is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Whose row it is: the truth, which no column tells.
    pub person: PersonId,
    /// The agency's own key of the record.
    pub key: String,
    /// Who it says that the person is.
    pub identity: Identity,
    /// What it says of the person.
    pub evidence: Evidence,
    /// Whether the agency shields the person.
    pub is_restricted: bool,
}

/// Names, numbers and address as one agency has them. An empty text is an empty cell.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Identity {
    /// Forename.
    pub forename: String,
    /// Surname.
    pub surname: String,
    /// Previous surname.
    pub former_surname: String,
    /// Date of birth.
    pub born: String,
    /// Expected date of birth.
    pub expected: String,
    /// NHS number.
    pub nhs: String,
    /// Pupil number.
    pub upn: String,
    /// National Insurance number.
    pub nino: String,
    /// Address in words.
    pub address: String,
    /// Postcode.
    pub postcode: String,
    /// Property number.
    pub uprn: String,
    /// Postcode of the previous address.
    pub former_postcode: String,
}

impl AgencyFile {
    /// The file as the agency's system exports it: comma-separated, with a line of headings.
    ///
    /// # Errors
    ///
    /// [`csv::Error`] if the buffer cannot be written.
    pub fn to_csv(&self) -> Result<Vec<u8>, csv::Error> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(self.columns.iter().map(|(_, heading)| heading))?;
        for row in &self.rows {
            writer.write_record(self.columns.iter().map(|(column, _)| row.cell(*column)))?;
        }
        writer.into_inner().map_err(|error| csv::Error::from(error.into_error()))
    }

    fn has(&self, column: Column) -> bool {
        self.columns.iter().any(|(held, _)| *held == column)
    }
}

impl Row {
    /// What the row has in a column.
    pub fn cell(&self, column: Column) -> String {
        let (identity, evidence) = (&self.identity, &self.evidence);
        let flag = |criterion: &str| evidence.flags.iter().find(|flag| flag.criterion.as_str() == criterion);
        let service = evidence.service.as_ref();
        match column {
            Column::Key => self.key.clone(),
            Column::Forename => identity.forename.clone(),
            Column::Surname => identity.surname.clone(),
            Column::FormerSurname => identity.former_surname.clone(),
            Column::Born => identity.born.clone(),
            Column::Expected => identity.expected.clone(),
            Column::Nhs => identity.nhs.clone(),
            Column::Upn => identity.upn.clone(),
            Column::Nino => identity.nino.clone(),
            Column::Address => identity.address.clone(),
            Column::Postcode => identity.postcode.clone(),
            Column::Uprn => identity.uprn.clone(),
            Column::FormerPostcode => identity.former_postcode.clone(),
            Column::Role => role_word(evidence.role).to_owned(),
            Column::ParentalResponsibility => match evidence.parental_responsibility {
                ParentalResponsibility::Yes => "yes".to_owned(),
                ParentalResponsibility::No => "no".to_owned(),
                ParentalResponsibility::Unknown => "unknown".to_owned(),
            },
            Column::AssessableUntil => evidence.assessable_until.map(|month| month.to_string()).unwrap_or_default(),
            Column::Coverage => coverage_word(evidence.coverage).to_owned(),
            Column::Restricted => yes_or_no(self.is_restricted),
            Column::Locality => evidence.locality.as_ref().map(ToString::to_string).unwrap_or_default(),
            Column::Since => service.map(|service| service.since.to_string()).unwrap_or_default(),
            Column::LastContact => {
                service.and_then(|service| service.last_contact_month).map(|m| m.to_string()).unwrap_or_default()
            }
            Column::Lead => service.map(|service| yes_or_no(service.lead)).unwrap_or_default(),
            Column::Team => service.map(|service| service.team_route.to_string()).unwrap_or_default(),
            Column::Status => service.map(|service| status_word(service.status).to_owned()).unwrap_or_default(),
            Column::State(criterion) => {
                flag(criterion).map(|flag| state_word(flag.state).to_owned()).unwrap_or_default()
            }
            Column::From(criterion) => flag(criterion).map(|flag| flag.from.to_string()).unwrap_or_default(),
            Column::To(criterion) => {
                flag(criterion).and_then(|flag| flag.to).map(|day| day.to_string()).unwrap_or_default()
            }
        }
    }
}

fn role_word(role: Role) -> &'static str {
    match role {
        Role::Child => "child",
        Role::Adult => "adult",
        Role::Unborn => "unborn",
        Role::Unknown => "unknown",
    }
}

fn coverage_word(coverage: Coverage) -> &'static str {
    match coverage {
        Coverage::Current => "current",
        Coverage::Moved => "moved",
        Coverage::Closed => "closed",
        Coverage::Deceased => "deceased",
    }
}

fn state_word(state: FlagState) -> &'static str {
    match state {
        FlagState::Met => "met",
        FlagState::NotMet => "not_met",
        FlagState::Contested => "contested",
    }
}

fn status_word(status: ServiceStatus) -> &'static str {
    match status {
        ServiceStatus::Open => "open",
        ServiceStatus::Closed => "closed",
    }
}

fn yes_or_no(is_so: bool) -> String {
    if is_so { "yes" } else { "no" }.to_owned()
}

impl Population {
    /// Every file that the agencies export, in the order of [`super::FEEDS`].
    pub fn files(&self) -> Vec<AgencyFile> {
        let mut facts: BTreeMap<(FeedName, PersonId), Vec<&Fact>> = BTreeMap::new();
        for fact in &self.facts {
            facts.entry(((fact.agency, fact.feed), fact.person)).or_default().push(fact);
        }
        profiles().iter().map(|profile| self.file(profile, &facts)).collect()
    }

    /// The persons as an agency's own system has them when it asks about them, in the columns of its
    /// first feed: for one whom it has in no file, what a referral form says. No evidence.
    pub fn referrals(&self, agency: &str, people: &[PersonId]) -> Option<AgencyFile> {
        let profiles = profiles();
        let profile = profiles.iter().find(|profile| profile.name.0 == agency)?;
        let mut file = self.empty_file(profile);
        file.columns.retain(|(column, _)| !matches!(column, Column::State(_) | Column::From(_) | Column::To(_)));
        file.rows = people
            .iter()
            .map(|&person| {
                let mut row = self.row(profile, &file, person, &[]);
                row.evidence.service = None;
                row.is_restricted = false;
                row
            })
            .collect();
        Some(file)
    }

    fn empty_file(&self, profile: &Profile) -> AgencyFile {
        AgencyFile {
            name: profile.name,
            agreement: profile.agreement,
            as_at: self.calendar.as_at(profile.name),
            columns: profile.columns.clone(),
            teams: profile.teams,
            rows: Vec::new(),
        }
    }

    fn file(&self, profile: &Profile, facts: &BTreeMap<(FeedName, PersonId), Vec<&Fact>>) -> AgencyFile {
        let mut file = self.empty_file(profile);
        let mut seen: BTreeSet<PersonId> = BTreeSet::new();
        for (place, family) in self.families.iter().enumerate() {
            let told = |person: &PersonId| facts.get(&(profile.name, *person)).map(Vec::as_slice).unwrap_or_default();
            let has_case = family.members.iter().any(|member| !told(member).is_empty());
            let mut by_family =
                Random::stream(self.seed, &format!("{}/{}/family/{place}", profile.name.0, profile.name.1));
            let is_drawn = by_family.chance(family_rate(profile.name, family.kind));
            for member in &family.members {
                if (!told(member).is_empty() || self.covers(profile.name, family, *member, has_case, is_drawn))
                    && seen.insert(*member)
                {
                    let row = self.row(profile, &file, *member, told(member));
                    file.rows.push(row);
                }
            }
        }
        file
    }

    /// Whether the agency has a record of somebody of whom it has no evidence.
    fn covers(&self, feed: FeedName, family: &Family, id: PersonId, has_case: bool, is_drawn: bool) -> bool {
        if self.unknown_to.contains(&(id, feed.0)) {
            return false;
        }
        if self.known_to.contains(&(id, feed.0)) && feed.1 != "welfare" {
            return true;
        }
        let person = &self.people[id.0];
        let is_cohort = family.kind == FamilyKind::Cohort;
        let mut random = Random::stream(self.seed, &format!("{}/{}/covers/{}", feed.0, feed.1, id.0));
        let mut chance = |in_ten_thousand| random.chance(in_ten_thousand);
        match feed {
            ("education", "attendance") => person.is_school_age(self.calendar.today) && chance(9_700),
            ("education", _) => {
                person.is_school_age(self.calendar.today) && chance(if is_cohort { 1_500 } else { 500 })
            }
            ("childrens-social-care" | "early-help-hub", _) if person.role == Role::Unborn => false,
            ("childrens-social-care" | "early-help-hub", _) if has_case => {
                chance(if person.role == Role::Child { 8_000 } else { 6_000 })
            }
            ("childrens-social-care" | "early-help-hub", _) => {
                person.role == Role::Child && chance(if is_cohort { 400 } else { 100 })
            }
            ("youth-justice", _) => has_case && person.role == Role::Adult && chance(3_000),
            ("housing", _) => is_drawn && (person.role == Role::Adult || person.role == Role::Child && chance(7_000)),
            ("jobcentre-feed", _) => is_drawn && person.role == Role::Adult,
            ("hearth", _) => is_drawn && person.role != Role::Unborn,
            ("kestrel", _) => is_drawn && person.role == Role::Adult && person.is_female,
            _ => false,
        }
    }

    fn row(&self, profile: &Profile, file: &AgencyFile, id: PersonId, facts: &[&Fact]) -> Row {
        let (agency, feed) = profile.name;
        let mut random = Random::stream(self.seed, &format!("{agency}/{feed}/row/{}", id.0));
        let is_restricted = self.shields.get(&id).is_some_and(|agencies| agencies.contains(agency));
        Row {
            person: id,
            key: format!("{}{:06}", profile.prefix, id.0 * 7 + 100_003),
            identity: self.identity(profile, file, id, &mut random),
            evidence: self.evidence(profile, file, id, facts, &mut random),
            is_restricted,
        }
    }

    fn identity(&self, profile: &Profile, file: &AgencyFile, id: PersonId, random: &mut Random) -> Identity {
        let (agency, rates, person) = (profile.name.0, profile.rates, &self.people[id.0]);
        let has = |column| file.has(column);
        let mut identity = Identity::default();
        if person.role == Role::Unborn {
            identity.expected = person.born.to_string();
        } else {
            self.names(profile, id, &mut identity, random);
            let born = if random.chance(rates.other_birthday) { another_day(person.born, random) } else { person.born };
            identity.born = born.to_string();
            let mut number = |number: &Option<String>, rate| {
                let known = random.chance(rate);
                number.clone().filter(|_| known).unwrap_or_default()
            };
            // Whoever shields a person says who it is as well as can be: a shield reaches only records that
            // share an identifier with the shielded one.
            let shields = self.shields.get(&id).is_some_and(|agencies| agencies.contains(agency));
            identity.nhs = number(&person.nhs, if shields { 10_000 } else { rates.nhs });
            identity.upn = number(&person.upn, if shields && rates.upn > 0 { 10_000 } else { rates.upn });
            identity.nino = number(&person.nino, rates.nino);
        }
        self.address(agency, rates.uprn, rates.other_postcode, id, &mut identity, random);
        if !has(Column::FormerSurname) {
            identity.former_surname.clear();
        }
        if !has(Column::FormerPostcode) || self.shields.contains_key(&id) {
            identity.former_postcode.clear();
        }
        identity
    }

    fn names(&self, profile: &Profile, id: PersonId, identity: &mut Identity, random: &mut Random) {
        let (agency, rates, person) = (profile.name.0, profile.rates, &self.people[id.0]);
        identity.forename.clone_from(&person.forename);
        identity.surname.clone_from(&person.surname);
        if let Some(former) = &person.former_surname {
            let always = agency == "jobcentre-feed" && id == self.landmarks.changed_surname;
            let is_behind = random.chance(rates.former_surname) || always;
            let knows_both = random.chance(5_000) && !always;
            if is_behind {
                identity.surname.clone_from(former);
            } else if knows_both {
                identity.former_surname.clone_from(former);
            }
        }
        if random.chance(rates.mistyped_forename) {
            identity.forename = mistyped(&identity.forename, random);
        }
        if random.chance(rates.mistyped_surname) {
            identity.surname = mistyped(&identity.surname, random);
        }
        if random.chance(rates.swapped_names) {
            std::mem::swap(&mut identity.forename, &mut identity.surname);
        }
    }

    /// The address that the agency has. Where the postcode is not the right one, it is that of the
    /// former home if there is one, mostly without its property number; else a slip.
    fn address(
        &self,
        agency: &'static str,
        uprn_rate: u32,
        other_rate: u32,
        id: PersonId,
        identity: &mut Identity,
        random: &mut Random,
    ) {
        let person = &self.people[id.0];
        let given = self.addresses.get(&(id, agency)).copied();
        let is_fixed = given.is_some() || self.shields.contains_key(&id);
        let home = &self.homes[given.unwrap_or(person.home).0];
        let former = person.former_home.map(|home| &self.homes[home.0]);
        let is_other = random.chance(other_rate) && !is_fixed;
        let has_uprn = random.chance(uprn_rate) || is_fixed;
        let keeps_old_uprn = random.chance(1_500);
        let (shown, postcode, uprn) = match former {
            Some(former) if is_other => (former, former.postcode.clone(), keeps_old_uprn.then_some(&former.uprn)),
            _ if is_other => (home, neighbouring(&home.postcode, random), has_uprn.then_some(&home.uprn)),
            _ => (home, home.postcode.clone(), has_uprn.then_some(&home.uprn)),
        };
        identity.address = format!("{}, {}", shown.line, shown.town);
        identity.postcode = postcode;
        identity.uprn = uprn.cloned().unwrap_or_default();
        if let Some(former) = former.filter(|_| !is_other && random.chance(3_000)) {
            identity.former_postcode.clone_from(&former.postcode);
        }
    }

    fn evidence(
        &self,
        profile: &Profile,
        file: &AgencyFile,
        id: PersonId,
        facts: &[&Fact],
        random: &mut Random,
    ) -> Evidence {
        let (agency, person) = (profile.name.0, &self.people[id.0]);
        let home = &self.homes[self.addresses.get(&(id, agency)).unwrap_or(&person.home).0];
        let flags = self.flags(file, id, facts);
        let is_case = flags.iter().any(|flag| flag.state == FlagState::Met);
        let ends_at = if Some(id) == Some(self.landmarks.with_send) { 25 } else { 18 };
        let last_month = person.born.checked_add(jiff::Span::new().years(ends_at)).ok().map(Month::of);
        Evidence {
            role: person.role,
            parental_responsibility: if file.has(Column::ParentalResponsibility) {
                person.parental_responsibility
            } else {
                ParentalResponsibility::Unknown
            },
            send_18_25: false,
            flags,
            contested: Vec::new(),
            assessable_until: last_month.filter(|_| person.role == Role::Child && file.has(Column::AssessableUntil)),
            coverage: self.coverage.get(&(id, agency)).copied().unwrap_or_default(),
            locality: if file.has(Column::Locality) { LocalityCode::parse(home.locality).ok() } else { None },
            service: service(profile, is_case, file.as_at, home.locality, random),
            attendance: Vec::new(),
            school_age_children: None,
        }
    }

    /// The criteria of the feed that apply to the person, each once: what is known, else that the
    /// agency looked and it is not met.
    fn flags(&self, file: &AgencyFile, id: PersonId, facts: &[&Fact]) -> Vec<Flag> {
        let person = &self.people[id.0];
        let applies = |criterion: &str| match criterion {
            "C3" => matches!(person.role, Role::Child | Role::Adult),
            "C2" => person.role == Role::Adult,
            "W1" => person.role == Role::Adult && person.parental_responsibility != ParentalResponsibility::No,
            "H1" | "H2" | "H3" => person.is_young(),
            _ => person.role == Role::Child,
        };
        let flag = |fact: &Fact| Flag {
            criterion: CriterionCode::parse(fact.criterion).expect("the criteria of the demonstration are codes"),
            state: fact.state,
            from: fact.from,
            to: fact.to,
            evidence: EvidenceGrade::Hard,
        };
        let mut flags = Vec::new();
        for (column, _) in &file.columns {
            let Column::State(criterion) = column else { continue };
            if let Some(fact) = facts.iter().find(|fact| fact.criterion == *criterion) {
                flags.push(flag(fact));
            } else if applies(criterion) {
                flags.push(flag(&self.calendar.not_met(id, criterion)));
            }
        }
        flags
    }
}

/// How many families an agency knows as a whole, in ten thousand.
fn family_rate(feed: FeedName, kind: FamilyKind) -> u32 {
    match (feed.0, kind) {
        ("housing", FamilyKind::Cohort) => 4_900,
        ("housing", _) => 1_500,
        ("jobcentre-feed", FamilyKind::Cohort) => 10_000,
        ("jobcentre-feed", FamilyKind::AdultOnly | FamilyKind::Hostel) => 2_000,
        ("jobcentre-feed", _) => 6_000,
        ("hearth", FamilyKind::Cohort) => 500,
        ("kestrel", FamilyKind::Cohort) => 200,
        _ => 0,
    }
}

fn service(profile: &Profile, is_case: bool, as_at: Date, locality: &str, random: &mut Random) -> Option<Service> {
    if profile.teams.is_empty() {
        return None;
    }
    let (rate, leads) = match profile.name.0 {
        "hearth" | "kestrel" => (10_000, 0),
        "housing" if is_case => (8_000, 500),
        "housing" => (500, 0),
        _ if is_case => (7_000, 4_000),
        _ => (200, 500),
    };
    if !random.chance(rate) {
        return None;
    }
    let days = random.between(20, 600);
    let since = before(as_at, days);
    let last = before(as_at, random.between(0, days));
    let team = match profile.name {
        // The east of the district is Caradon and the north; the rest is the west.
        ("childrens-social-care", _) if matches!(locality, "caradon" | "north-cornwall") => profile.teams[2],
        ("childrens-social-care", _) => profile.teams[1],
        ("early-help-hub", _) if matches!(locality, "caradon" | "north-cornwall") => profile.teams[2],
        ("early-help-hub", _) if matches!(locality, "carrick" | "restormel") => profile.teams[1],
        ("housing", _) if is_case => profile.teams[1],
        _ => profile.teams[0],
    };
    Some(Service {
        since: Month::of(since),
        last_contact_month: Some(Month::of(last)),
        lead: random.chance(leads),
        team_route: TeamRoute::parse(team).expect("the teams of the demonstration are codes"),
        status: if random.chance(8_000) { ServiceStatus::Open } else { ServiceStatus::Closed },
    })
}

/// Another day of the same month, never the first.
fn another_day(born: Date, random: &mut Random) -> Date {
    let day = 2 + random.below(26) as i8;
    let day = if day == born.day() { day + 1 } else { day };
    Date::new(born.year(), born.month(), day).unwrap_or(born)
}
