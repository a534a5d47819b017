//! A partner agency as its file in `policies/agencies/` describes it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::ids::{AgencyCode, AreaCode, RoleCode, TeamRoute};
use super::policy_file::{self, Fault, Faults, FileHash, says_something};

/// What kind of body an agency is; the statutory limits differ by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AgencyKind {
    /// A part of the council that is none of the other kinds.
    Council,
    /// A school, or the service that acts for the schools.
    School,
    /// A police force.
    Police,
    /// A youth justice service or probation.
    Justice,
    /// An NHS body.
    Nhs,
    /// The department that pays benefits.
    Benefits,
    /// A provider that the council commissions.
    Commissioned,
    /// A voluntary, community or social enterprise.
    Vcse,
    /// A provider of social housing.
    Housing,
    /// The programme's own data team, reviewers or auditors.
    Programme,
}

impl AgencyKind {
    /// The name in files and in the rule book.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Council => "council",
            Self::School => "school",
            Self::Police => "police",
            Self::Justice => "justice",
            Self::Nhs => "nhs",
            Self::Benefits => "benefits",
            Self::Commissioned => "commissioned",
            Self::Vcse => "vcse",
            Self::Housing => "housing",
            Self::Programme => "programme",
        }
    }
}

/// A team of an agency that others may contact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Team {
    /// The code that records carry.
    pub route: TeamRoute,
    /// The team's name.
    pub name: String,
    /// How another agency reaches the team; never a worker's name.
    pub contact: String,
}

/// What the statutory limits need to know about an agency. All false unless the file says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Standing {
    /// A public authority, which cannot rely on legitimate interests in its tasks.
    pub public_authority: bool,
    /// An English local authority, or acts as part of one.
    pub local_authority: bool,
    /// A relevant authority, or acting for one, under section 115 of the Crime and Disorder Act 1998.
    pub relevant_authority: bool,
    /// A specified person for the multiple-disadvantages objective of the Digital Economy Act 2017.
    pub dea_specified_person: bool,
    /// May receive what section 131 of the Welfare Reform Act 2012 released: a qualifying person, or a
    /// provider of welfare services that the local authority pays for.
    pub wra_qualifying_person: bool,
}

/// Who answers for data protection. Posts, never people.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Officers {
    /// The register number of the Information Commissioner's Office.
    pub ico_number: Option<String>,
    /// Where the Data Protection Officer is reached.
    pub data_protection_officer: Option<String>,
    /// Where the senior information risk owner is reached.
    pub risk_owner: Option<String>,
    /// Where the Caldicott Guardian is reached.
    pub caldicott_guardian: Option<String>,
    /// The roles of the agency's own shield officers: they alone see which records it restricts.
    pub shield_roles: BTreeSet<RoleCode>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AgencyFile {
    code: AgencyCode,
    name: String,
    plain: String,
    kind: AgencyKind,
    reveals_areas: BTreeSet<AreaCode>,
    #[serde(default)]
    key_custodian: bool,
    #[serde(default)]
    standing: Standing,
    #[serde(default)]
    officers: Officers,
    #[serde(default)]
    team: Vec<Team>,
}

/// A partner agency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agency {
    code: AgencyCode,
    name: String,
    plain: String,
    kind: AgencyKind,
    reveals_areas: BTreeSet<AreaCode>,
    key_custodian: bool,
    standing: Standing,
    officers: Officers,
    teams: Vec<Team>,
    file: FileHash,
}

impl Agency {
    /// Reads one file of `policies/agencies/`.
    ///
    /// # Errors
    ///
    /// [`Faults`] for unknown or missing keys, an empty name, a team listed twice or a kind that
    /// contradicts the agency's standing.
    pub fn parse(bytes: &[u8]) -> Result<Self, Faults> {
        let read: AgencyFile = policy_file::read(bytes)?;
        let mut faults = Vec::new();
        if !says_something(&read.name) {
            faults.push(Fault::at("name", "empty", "an agency needs a name that people know"));
        }
        if !says_something(&read.plain) {
            faults.push(Fault::at("plain", "empty", "say in one sentence what the agency does"));
        }
        let barred = matches!(read.kind, AgencyKind::Police | AgencyKind::School | AgencyKind::Nhs);
        if barred && read.standing.wra_qualifying_person {
            let sentence = "police, schools and NHS bodies do not receive benefits data under section 131";
            faults.push(Fault::at("standing.wra_qualifying_person", "contradiction", sentence));
        }
        if read.key_custodian && read.kind == AgencyKind::Programme {
            let sentence = "the programme's own team never holds the linkage key";
            faults.push(Fault::at("key_custodian", "contradiction", sentence));
        }
        let mut routes = BTreeSet::new();
        for (n, team) in read.team.iter().enumerate() {
            if !routes.insert(&team.route) {
                faults.push(Fault::at(format!("team[{n}].route"), "duplicate", "the route is listed twice"));
            }
            if !says_something(&team.contact) {
                let sentence = "say how another agency reaches the team";
                faults.push(Fault::at(format!("team[{n}].contact"), "empty", sentence));
            }
        }
        Faults::or(
            faults,
            Self {
                code: read.code,
                name: read.name,
                plain: read.plain,
                kind: read.kind,
                reveals_areas: read.reveals_areas,
                key_custodian: read.key_custodian,
                standing: read.standing,
                officers: read.officers,
                teams: read.team,
                file: FileHash::of(bytes),
            },
        )
    }

    /// The code that files, submissions and log entries use.
    pub fn code(&self) -> &AgencyCode {
        &self.code
    }
    /// The name that people know.
    pub fn name(&self) -> &str {
        &self.name
    }
    /// What the agency does, in one sentence.
    pub fn plain(&self) -> &str {
        &self.plain
    }
    /// What kind of body it is.
    pub fn kind(&self) -> AgencyKind {
        self.kind
    }
    /// The areas that the agency's name alone reveals: that a domestic abuse service knows somebody
    /// says what about.
    pub fn reveals_areas(&self) -> &BTreeSet<AreaCode> {
        &self.reveals_areas
    }
    /// Whether people there hold the linkage key and hand its parts to other agencies.
    pub fn is_key_custodian(&self) -> bool {
        self.key_custodian
    }
    /// What the statutory limits need to know.
    pub fn standing(&self) -> Standing {
        self.standing
    }
    /// Who answers for data protection.
    pub fn officers(&self) -> &Officers {
        &self.officers
    }
    /// The teams that others may contact.
    pub fn teams(&self) -> &[Team] {
        &self.teams
    }
    /// The team behind a route that a record carries.
    pub fn team(&self, route: &TeamRoute) -> Option<&Team> {
        self.teams.iter().find(|team| team.route == *route)
    }
    /// The hash of the file.
    pub fn file(&self) -> FileHash {
        self.file
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFUGE: &str = r#"
code = "refuge"
name = "A refuge"
plain = "Gives shelter to people who flee abuse."
kind = "vcse"
reveals_areas = ["A5"]

[[team]]
route = "front-door"
name = "Front door"
contact = "Telephone the helpline"
"#;

    #[test]
    fn an_agency_reads_its_file_and_finds_its_teams() {
        let agency = Agency::parse(REFUGE.as_bytes()).expect("well-formed");
        assert_eq!(agency.code().as_str(), "refuge");
        assert!(agency.team(&"front-door".parse().expect("well-formed")).is_some());
        assert!(agency.team(&"back-door".parse().expect("well-formed")).is_none());
        assert_eq!(agency.standing(), Standing::default());
    }

    #[test]
    fn a_faulty_file_is_refused_with_its_key_and_code() {
        let twice =
            format!("{REFUGE}\n[[team]]\nroute = \"front-door\"\nname = \"Again\"\ncontact = \"Telephone us\"\n");
        let police = REFUGE.replace("vcse", "police") + "[standing]\nwra_qualifying_person = true\n";
        for (file, key, code) in [
            (twice.as_str(), "team[1].route", "duplicate"),
            (police.as_str(), "standing.wra_qualifying_person", "contradiction"),
            (&REFUGE.replace("A refuge", ""), "name", "empty"),
            (&REFUGE.replace("kind", "knid"), "", "malformed"),
        ] {
            let faults = Agency::parse(file.as_bytes()).expect_err("faulty");
            assert_eq!((faults.0[0].key.as_str(), faults.0[0].code), (key, code));
        }
    }
}
