//! What each agency's file looks like, and how good it is.
//!
//! The rates of surnames and dates of birth that differ follow what was measured between two
//! clinical systems of 126,904 people; the rest is this demonstration's choice.

use super::calendar::FeedName;

/// A column of a file, by what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    /// The agency's own key of the record.
    Key,
    /// Forename.
    Forename,
    /// Surname.
    Surname,
    /// Previous surname.
    FormerSurname,
    /// Date of birth, ISO.
    Born,
    /// Expected date of birth, ISO.
    Expected,
    /// NHS number.
    Nhs,
    /// Pupil number.
    Upn,
    /// National Insurance number.
    Nino,
    /// Address in words: for people, never for tokens.
    Address,
    /// Postcode.
    Postcode,
    /// Property number.
    Uprn,
    /// Postcode of the previous address.
    FormerPostcode,
    /// Child, adult, unborn or unknown.
    Role,
    /// Yes, no or unknown.
    ParentalResponsibility,
    /// Last month in which the person can be assessed.
    AssessableUntil,
    /// Current, moved, closed or deceased.
    Coverage,
    /// Yes or no.
    Restricted,
    /// Part of the district.
    Locality,
    /// Month in which the service began.
    Since,
    /// Month of the last contact.
    LastContact,
    /// Whether the agency leads: yes or no.
    Lead,
    /// The team.
    Team,
    /// Open or closed.
    Status,
    /// State of a criterion.
    State(&'static str),
    /// First day of it.
    From(&'static str),
    /// Last day of it.
    To(&'static str),
}

/// How often something is so, in ten thousand.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rates {
    pub nhs: u32,
    pub upn: u32,
    pub nino: u32,
    pub uprn: u32,
    /// A postcode that is not the right one.
    pub other_postcode: u32,
    pub mistyped_forename: u32,
    pub mistyped_surname: u32,
    /// Of those who changed their surname: the file still has the former one.
    pub former_surname: u32,
    pub other_birthday: u32,
    pub swapped_names: u32,
}

/// An agency's file.
pub(super) struct Profile {
    pub name: FeedName,
    /// The agreement under which it is submitted.
    pub agreement: &'static str,
    /// Letters before the number in the agency's own keys.
    pub prefix: &'static str,
    pub teams: &'static [&'static str],
    pub columns: Vec<(Column, String)>,
    pub rates: Rates,
}

/// Two files of one district differ in 31 per cent of postcodes when each has 17 per cent wrong.
const USUAL: Rates = Rates {
    nhs: 0,
    upn: 0,
    nino: 0,
    uprn: 9_700,
    other_postcode: 1_700,
    mistyped_forename: 120,
    mistyped_surname: 130,
    former_surname: 1_500,
    other_birthday: 25,
    swapped_names: 4,
};

type Heading = (Column, &'static str);

const PUPIL: &[Heading] = &[
    (Column::Key, "PupilRef"),
    (Column::Forename, "LegalForename"),
    (Column::Surname, "LegalSurname"),
    (Column::FormerSurname, "FormerSurname"),
    (Column::Born, "DOB"),
    (Column::Upn, "UPN"),
    (Column::Address, "Address"),
    (Column::Postcode, "Postcode"),
    (Column::Uprn, "UPRN"),
    (Column::Role, "Role"),
    (Column::AssessableUntil, "LeavesMonth"),
    (Column::Coverage, "OnRoll"),
    (Column::Locality, "Area"),
];
const CASE: &[Heading] = &[
    (Column::Key, "case_person_id"),
    (Column::Forename, "first_name"),
    (Column::Surname, "last_name"),
    (Column::FormerSurname, "previous_last_name"),
    (Column::Born, "date_of_birth"),
    (Column::Expected, "expected_date_of_birth"),
    (Column::Nhs, "nhs_number"),
    (Column::Upn, "upn"),
    (Column::Address, "address"),
    (Column::Postcode, "postcode"),
    (Column::Uprn, "uprn"),
    (Column::FormerPostcode, "previous_postcode"),
    (Column::Role, "role"),
    (Column::ParentalResponsibility, "parental_responsibility"),
    (Column::AssessableUntil, "assessable_until"),
    (Column::Coverage, "coverage"),
    (Column::Restricted, "restricted"),
    (Column::Locality, "locality"),
];
const OFFENDER: &[Heading] = &[
    (Column::Key, "Nominal"),
    (Column::Surname, "SURNAME"),
    (Column::Forename, "FORENAME1"),
    (Column::FormerSurname, "ALIAS_SURNAME"),
    (Column::Born, "DATE_BIRTH"),
    (Column::Postcode, "POSTCODE"),
    (Column::Uprn, "UPRN"),
    (Column::Role, "ROLE"),
    (Column::Coverage, "COVERAGE"),
    (Column::Locality, "SECTOR"),
];
const TENANT: &[Heading] = &[
    (Column::Key, "Tenancy person"),
    (Column::Forename, "Forename"),
    (Column::Surname, "Surname"),
    (Column::Born, "Birth date"),
    (Column::Nino, "NI number"),
    (Column::Address, "Property"),
    (Column::Postcode, "Post code"),
    (Column::Uprn, "Property UPRN"),
    (Column::Role, "Occupant type"),
    (Column::Coverage, "Tenancy state"),
    (Column::Locality, "District"),
];
const CLAIMANT: &[Heading] = &[
    (Column::Key, "CLAIMANT_KEY"),
    (Column::Surname, "SURNAME"),
    (Column::Forename, "FIRST_NAME"),
    (Column::Born, "DOB"),
    (Column::Nino, "NINO"),
    (Column::Postcode, "POST_CODE"),
    (Column::Uprn, "UPRN"),
    (Column::Role, "ROLE"),
    (Column::ParentalResponsibility, "RESPONSIBLE_FOR_CHILD"),
];
const SPREADSHEET: &[Heading] = &[
    (Column::Key, "Our ref"),
    (Column::Forename, "First name"),
    (Column::Surname, "Family name"),
    (Column::Born, "Born"),
    (Column::Postcode, "Postcode"),
    (Column::Uprn, "UPRN"),
    (Column::Role, "Who"),
];
const SERVICE: &[Heading] = &[
    (Column::Since, "service_since"),
    (Column::LastContact, "service_last_contact"),
    (Column::Lead, "service_leads"),
    (Column::Team, "service_team"),
    (Column::Status, "service_status"),
];

/// The profile of each feed that the invented agencies deliver.
pub(super) fn profiles() -> Vec<Profile> {
    let new = |name: FeedName, agreement, prefix, headings, teams: &'static [&'static str], criteria: &[_], rates| {
        Profile { name, agreement, prefix, teams, columns: columns(headings, !teams.is_empty(), criteria), rates }
    };
    let core = "early-help-core/v1";
    vec![
        new(("education", "attendance"), core, "P", PUPIL, &[], &["E1"], Rates { upn: 9_800, ..USUAL }),
        new(
            ("education", "welfare"),
            core,
            "W",
            PUPIL,
            &["education-welfare"],
            &["E2", "E3", "E4", "E5"],
            Rates { upn: 9_600, ..USUAL },
        ),
        new(
            ("childrens-social-care", "cases"),
            core,
            "C",
            CASE,
            &["mash", "children-west", "children-east"],
            &["H2", "H3", "H4"],
            Rates { nhs: 8_000, upn: 6_500, ..USUAL },
        ),
        new(
            ("early-help-hub", "assessments"),
            core,
            "H",
            CASE,
            &["early-help-west", "early-help-mid", "early-help-east"],
            &["H1"],
            Rates { nhs: 7_500, upn: 6_000, ..USUAL },
        ),
        new(
            ("youth-justice", "orders"),
            core,
            "Y",
            CASE,
            &["youth-justice-court", "youth-justice-prevention"],
            &["C1"],
            Rates { nhs: 3_500, upn: 5_500, ..USUAL },
        ),
        new(
            ("police", "outcomes"),
            "safeguarding-partners/v1",
            "N",
            OFFENDER,
            &[],
            &["C2"],
            Rates { uprn: 9_000, mistyped_surname: 220, mistyped_forename: 220, ..USUAL },
        ),
        new(
            ("housing", "tenancies"),
            core,
            "T",
            TENANT,
            &["tenancy-sustainment", "community-safety"],
            &["C3"],
            Rates { nino: 6_000, uprn: 9_950, other_postcode: 300, ..USUAL },
        ),
        new(
            ("jobcentre-feed", "benefits"),
            "benefits-data/v1",
            "B",
            CLAIMANT,
            &[],
            &["W1"],
            Rates { nino: 10_000, uprn: 9_850, former_surname: 3_000, ..USUAL },
        ),
        new(
            ("hearth", "casework"),
            "charity-referral/v1",
            "R",
            SPREADSHEET,
            &["hearth-home-support"],
            &[],
            Rates { uprn: 8_500, mistyped_forename: 300, mistyped_surname: 300, ..USUAL },
        ),
        new(
            ("kestrel", "casework"),
            "safeguarding-partners/v1",
            "K",
            CASE,
            &["kestrel-advocates"],
            &[],
            Rates { nhs: 2_000, uprn: 9_000, ..USUAL },
        ),
    ]
}

fn columns(headings: &[Heading], has_service: bool, criteria: &[&'static str]) -> Vec<(Column, String)> {
    let service = if has_service { SERVICE } else { &[] };
    let mut columns: Vec<(Column, String)> =
        headings.iter().chain(service).map(|(column, heading)| (*column, (*heading).to_owned())).collect();
    for criterion in criteria {
        columns.push((Column::State(criterion), format!("{criterion}_state")));
        columns.push((Column::From(criterion), format!("{criterion}_from")));
        columns.push((Column::To(criterion), format!("{criterion}_to")));
    }
    columns
}
