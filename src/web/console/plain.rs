//! The closed words of reviews, alerts, incidents, recalls and rights, in plain English: what a page calls
//! them, and the colour of their tag, which says nothing that the word does not.

use super::fields::Choice;
use crate::domain::alert;
use crate::domain::incident::{Nature, Risk};
use crate::domain::review::finding::{Action, Finding, Severity};
use crate::domain::review::sample::Strategy;
use crate::domain::review::state::State;
use crate::domain::subject_case::SubjectRight;
use crate::store::RecallState;

/// A word with the colour of its tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tag {
    pub(super) said: &'static str,
    pub(super) colour: &'static str,
}

const fn tag(said: &'static str, colour: &'static str) -> Tag {
    Tag { said, colour }
}

/// Where a review is.
pub(super) const fn state(state: State) -> Tag {
    match state {
        State::Drawn => tag("Not begun", "grey"),
        State::Taken => tag("Being reviewed", "blue"),
        State::Referred => tag("Basis unclear, another officer decides", "yellow"),
        State::Proposed => tag("Waits for a second officer", "yellow"),
        State::Due => tag("Action to be done", "orange"),
        State::Closed => tag("Closed", "green"),
    }
}

/// What was found: its name, and what it means.
pub(super) const fn finding(finding: Finding) -> (&'static str, &'static str) {
    match finding {
        Finding::Justified => ("Justified", "There was a legal basis, and no more was told than was needed."),
        Finding::RecordIncomplete => ("Justified, record incomplete", "The record of it lacks something."),
        Finding::Minimisation => ("Not justified: too much was told", "There was a legal basis; less would have done."),
        Finding::NoBasis => ("Not justified: no legal basis", "Nothing permitted it."),
        Finding::WrongSubject => ("Wrong person", "Somebody else than the person meant was asked or told about."),
        Finding::BasisUnclear => {
            ("Basis unclear", "Another officer, or the Data Protection Officer, has to say whether there was one.")
        }
        Finding::SuspectedMisuse => ("Suspected misuse", "Somebody may have asked for reasons of their own."),
    }
}

/// How grave it is.
pub(super) const fn severity(severity: Severity) -> (&'static str, &'static str) {
    match severity {
        Severity::None => ("None", "Nothing is wrong."),
        Severity::Low => ("Low", "Nobody was harmed, nor could have been."),
        Severity::Medium => ("Medium", "Somebody could have been harmed."),
        Severity::High => ("High", "Somebody was harmed, or may be."),
    }
}

/// What is done about it.
pub(super) const fn action(action: Action) -> (&'static str, &'static str) {
    match action {
        Action::None => ("Nothing", "Only where the disclosure was justified."),
        Action::CorrectNote => ("Correct the record", "A note adds what the record lacks."),
        Action::Retrain => ("Train", "The people who asked are trained."),
        Action::ChangePolicy => ("Change an agreement or a rule", ""),
        Action::SuspendAgreement => {
            ("Suspend the agreement", "At once, when a second officer has confirmed the finding. Choose it below.")
        }
        Action::BreachCase => ("Treat it as a personal data breach", "Record an incident as well."),
        Action::ReferToOfficer => {
            ("Refer it to the Data Protection Officer", "Where the basis is unclear, and only there.")
        }
    }
}

/// How a sample was drawn.
pub(super) const fn strategy(strategy: Strategy) -> (&'static str, &'static str) {
    match strategy {
        Strategy::Random => ("At random", "Every disclosure has the same chance."),
        Strategy::Stratified => {
            ("By agency, area and power", "From each group in proportion, and at least so many as you say.")
        }
        Strategy::Risk => {
            ("By risk", "Emergencies, benefits data, new clients and days with alerts have a greater chance.")
        }
        Strategy::Targeted => ("Every one of an agency", "All disclosures to the agency that you choose."),
        Strategy::Always => ("Always reviewed", "The gateway takes these by itself."),
    }
}

/// What an alert is about.
pub(super) const fn alert_kind(kind: alert::Kind) -> (&'static str, &'static str) {
    use alert::Kind;
    match kind {
        Kind::VolumeSpike => ("Far more questions than usual", "Far more was asked in a day than on earlier days."),
        Kind::LowMatchRate => (
            "Few of those asked about are known",
            "Few of the people asked about were known: somebody may be guessing.",
        ),
        Kind::RepeatOnOnePerson => {
            ("One person asked about again and again", "One person was asked about again and again in a day.")
        }
        Kind::OddHours => {
            ("Asked outside declared hours", "Something was asked outside the hours that the agency declared.")
        }
        Kind::RefusedThenGranted => {
            ("Refused, then answered", "A refusal was followed by an answer about the same person.")
        }
        Kind::DecoyTouched => {
            ("A decoy was asked about", "Somebody whom nobody has a reason to ask about was asked about.")
        }
        Kind::NewSubjects => (
            "Many people asked about for the first time",
            "More than the day's budget were asked about for the first time.",
        ),
        Kind::QuickReview => (
            "An emergency was reviewed by the system that asked",
            "The system that asked in an emergency also sent the review, within a quarter of an hour.",
        ),
        Kind::ListedEntry => (
            "An entry that is always told",
            "Emergencies, cases of people's rights, recalls, identities handed over, erasures by name and changes of witnesses.",
        ),
    }
}

/// Where an alert is.
pub(super) const fn alert_state(state: alert::State) -> Tag {
    match state {
        alert::State::Open => tag("Open", "yellow"),
        alert::State::Escalated => tag("Escalated", "orange"),
        alert::State::Closed => tag("Closed", "green"),
    }
}

/// What kind of incident.
pub(super) const fn nature(nature: Nature) -> (&'static str, &'static str) {
    match nature {
        Nature::WrongMatch => ("Wrong match", "Two people were taken for one, and somebody was told so."),
        Nature::WrongDisclosure => ("Wrong disclosure", "Something was told to somebody who may not hear it."),
        Nature::WrongData => ("Wrong data", "A flag or a delivery was wrong."),
        Nature::KeyExposed => ("Key exposed", "A key or certificate may be in wrong hands."),
        Nature::Misuse => ("Misuse", "Somebody used the system for what it is not for."),
        Nature::Unavailable => ("Data lost or out of reach", ""),
        Nature::Other => ("Something else", ""),
    }
}

/// The risk to people.
pub(super) const fn risk(risk: Risk) -> (&'static str, &'static str) {
    match risk {
        Risk::None => ("A risk is unlikely", ""),
        Risk::Risk => ("A risk is likely", "The Information Commissioner is to be notified."),
        Risk::HighRisk => ("A high risk is likely", "The people are to be told as well."),
    }
}

/// Where a recall is.
pub(super) const fn recall_state(state: RecallState) -> Tag {
    match state {
        RecallState::Searching => tag("Searching", "blue"),
        RecallState::Waiting => tag("Waits for acknowledgement", "yellow"),
        RecallState::Closed => tag("Closed", "green"),
    }
}

/// Why something is recalled: the word in the log, and what it means.
pub(super) const RECALL_REASONS: [(&str, &str); 5] = [
    ("twin-or-sibling", "One is a twin or sibling of the other"),
    ("parent-or-child", "One is a parent or child of the other"),
    ("namesake", "They have the same name and are two people"),
    ("other-person", "They are different people for another reason"),
    ("record-wrong", "The delivery’s records are wrong"),
];

/// The form of an answer.
pub(super) fn mode(code: &str) -> &'static str {
    match code {
        "eligible" => "whether the programme is for them",
        "count" => "in how many areas",
        "areas" => "in which areas",
        "criteria" => "which criteria",
        "lead" => "who leads",
        _ => "in another form",
    }
}

/// Which right a person uses.
pub(super) const fn right(right: SubjectRight) -> &'static str {
    match right {
        SubjectRight::Access => "Access (article 15)",
        SubjectRight::Objection => "Objection (article 21)",
        SubjectRight::Restriction => "Restriction (article 18)",
        SubjectRight::Rectification => "Rectification (article 16)",
        SubjectRight::Erasure => "Erasure (article 17)",
        SubjectRight::Contested => "Says that it is disputed",
    }
}

/// Choices of a closed list, with what each means.
pub(super) fn choices<T: ToString + Copy>(all: &[T], told: impl Fn(T) -> (&'static str, &'static str)) -> Vec<Choice> {
    let choice = |word: &T| {
        let (label, hint) = told(*word);
        Choice { value: word.to_string(), label: label.to_owned(), hint }
    };
    all.iter().map(choice).collect()
}

/// The name of a stored word; the word itself where this version does not know it.
pub(super) fn named<T: std::str::FromStr>(
    word: Option<&str>,
    told: impl Fn(T) -> (&'static str, &'static str),
) -> String {
    let word = word.unwrap_or_default();
    word.parse().map_or_else(|_| word.to_owned(), |known| told(known).0.to_owned())
}
