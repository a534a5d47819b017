//! A referral on its way: the branches that the programme's route has, and no others.
//!
//! ```text
//! received ─ check tracker ─┬─ known ──── find worker ─┬─ somebody works ─ share ──► shared with worker
//!                           │                          └─ nobody works ─── assign ─► assigned
//!                           └─ unknown ── check eligibility (checker and service knowledge)
//!                                              └─► checked ─ qualify ─┬─ qualifies ─ issue TFID ─ assign ─► assigned
//!                                                                     └─ does not ──────────────► statutory only
//! ```
//!
//! Every step has a purpose of its own, which the programme file names.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::ids::PurposeCode;
use super::policy_file::Fault;
use super::programme::Programme;

/// Where a referral came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Door {
    /// The Early Help Hub.
    EarlyHelp,
    /// The Education Welfare Service.
    EducationWelfare,
}

impl Door {
    /// The word in requests, the database and the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EarlyHelp => "early_help",
            Self::EducationWelfare => "education_welfare",
        }
    }
}

/// What can be done with a referral.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// It comes in.
    Receive,
    /// The tracker is asked whether the family is known.
    CheckTracker,
    /// Of a known family: who is working with them?
    FindWorker,
    /// The referral is shared with the worker.
    Share,
    /// The family is assigned to a team.
    Assign,
    /// Of an unknown family: the eligibility checker is asked and what services know is gathered.
    CheckEligibility,
    /// The programme team says whether the family qualifies.
    Qualify,
    /// The family gets its reference.
    IssueTfid,
}

impl Step {
    /// Every step, in the order of the route.
    pub const ALL: [Self; 8] = [
        Self::Receive,
        Self::CheckTracker,
        Self::FindWorker,
        Self::Share,
        Self::Assign,
        Self::CheckEligibility,
        Self::Qualify,
        Self::IssueTfid,
    ];

    /// The word in files, requests, the database and the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Receive => "receive",
            Self::CheckTracker => "check_tracker",
            Self::FindWorker => "find_worker",
            Self::Share => "share",
            Self::Assign => "assign",
            Self::CheckEligibility => "check_eligibility",
            Self::Qualify => "qualify",
            Self::IssueTfid => "issue_tfid",
        }
    }

    /// Whether only the programme's own team may take it; every other is the receiving agency's.
    pub fn is_of_the_programme_team(self) -> bool {
        matches!(self, Self::Qualify | Self::IssueTfid)
    }

    /// Whether it rests on a question that the gateway answered, so that its entry has to be named.
    pub fn rests_on_an_answer(self) -> bool {
        matches!(self, Self::CheckTracker | Self::FindWorker | Self::CheckEligibility)
    }
}

/// What happened: a step with what it came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Event {
    /// The tracker knows the family, or does not.
    TrackerChecked {
        /// Whether it does.
        is_known: bool,
    },
    /// Somebody is working with the family, or nobody is.
    WorkerSought {
        /// Whether somebody is.
        is_found: bool,
    },
    /// The referral was shared with the worker.
    Shared,
    /// The family was assigned to a team.
    Assigned,
    /// The checker and the services were asked.
    EligibilityChecked,
    /// The programme team decided.
    Qualified {
        /// Whether the family qualifies.
        does_qualify: bool,
    },
    /// The family has a reference.
    TfidIssued,
}

impl Event {
    /// Every event.
    pub const ALL: [Self; 10] = [
        Self::TrackerChecked { is_known: true },
        Self::TrackerChecked { is_known: false },
        Self::WorkerSought { is_found: true },
        Self::WorkerSought { is_found: false },
        Self::Shared,
        Self::Assigned,
        Self::EligibilityChecked,
        Self::Qualified { does_qualify: true },
        Self::Qualified { does_qualify: false },
        Self::TfidIssued,
    ];

    /// The event of a step and its yes or no; `None` for a step that takes none where one is given,
    /// for one that needs one, and for the first step, which makes the referral.
    pub fn of(step: Step, finding: Option<bool>) -> Option<Self> {
        match (step, finding) {
            (Step::CheckTracker, Some(is_known)) => Some(Self::TrackerChecked { is_known }),
            (Step::FindWorker, Some(is_found)) => Some(Self::WorkerSought { is_found }),
            (Step::Qualify, Some(does_qualify)) => Some(Self::Qualified { does_qualify }),
            (Step::Share, None) => Some(Self::Shared),
            (Step::Assign, None) => Some(Self::Assigned),
            (Step::CheckEligibility, None) => Some(Self::EligibilityChecked),
            (Step::IssueTfid, None) => Some(Self::TfidIssued),
            _ => None,
        }
    }

    /// The step.
    pub fn step(self) -> Step {
        match self {
            Self::TrackerChecked { .. } => Step::CheckTracker,
            Self::WorkerSought { .. } => Step::FindWorker,
            Self::Shared => Step::Share,
            Self::Assigned => Step::Assign,
            Self::EligibilityChecked => Step::CheckEligibility,
            Self::Qualified { .. } => Step::Qualify,
            Self::TfidIssued => Step::IssueTfid,
        }
    }
}

/// Where a referral is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It came in.
    Received,
    /// The tracker knows the family.
    Known,
    /// Somebody is working with the known family.
    WorkerFound,
    /// Nobody is working with the known family.
    NoWorker,
    /// The tracker does not know the family.
    Unknown,
    /// The checker and the services were asked.
    Checked,
    /// The programme team says that the family qualifies.
    Qualifies,
    /// The family has a reference.
    TfidIssued,
    /// The end: the worker has the referral.
    SharedWithWorker,
    /// The end: a team has the family.
    Assigned,
    /// The end: the family does not qualify; statutory work only.
    StatutoryOnly,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 11] = [
        Self::Received,
        Self::Known,
        Self::WorkerFound,
        Self::NoWorker,
        Self::Unknown,
        Self::Checked,
        Self::Qualifies,
        Self::TfidIssued,
        Self::SharedWithWorker,
        Self::Assigned,
        Self::StatutoryOnly,
    ];

    /// Where an event leads from here; `None` where the route has no such branch.
    #[must_use]
    pub fn after(self, event: Event) -> Option<Self> {
        match (self, event) {
            (Self::Received, Event::TrackerChecked { is_known: true }) => Some(Self::Known),
            (Self::Received, Event::TrackerChecked { is_known: false }) => Some(Self::Unknown),
            (Self::Known, Event::WorkerSought { is_found: true }) => Some(Self::WorkerFound),
            (Self::Known, Event::WorkerSought { is_found: false }) => Some(Self::NoWorker),
            (Self::WorkerFound, Event::Shared) => Some(Self::SharedWithWorker),
            (Self::NoWorker | Self::TfidIssued, Event::Assigned) => Some(Self::Assigned),
            (Self::Unknown, Event::EligibilityChecked) => Some(Self::Checked),
            (Self::Checked, Event::Qualified { does_qualify: true }) => Some(Self::Qualifies),
            (Self::Checked, Event::Qualified { does_qualify: false }) => Some(Self::StatutoryOnly),
            (Self::Qualifies, Event::TfidIssued) => Some(Self::TfidIssued),
            _ => None,
        }
    }

    /// The step that is next; `None` at an end.
    pub fn next(self) -> Option<Step> {
        Some(match self {
            Self::Received => Step::CheckTracker,
            Self::Known => Step::FindWorker,
            Self::WorkerFound => Step::Share,
            Self::NoWorker | Self::TfidIssued => Step::Assign,
            Self::Unknown => Step::CheckEligibility,
            Self::Checked => Step::Qualify,
            Self::Qualifies => Step::IssueTfid,
            Self::SharedWithWorker | Self::Assigned | Self::StatutoryOnly => return None,
        })
    }

    /// The word in requests, the database and the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Known => "known",
            Self::WorkerFound => "worker_found",
            Self::NoWorker => "no_worker",
            Self::Unknown => "unknown",
            Self::Checked => "checked",
            Self::Qualifies => "qualifies",
            Self::TfidIssued => "tfid_issued",
            Self::SharedWithWorker => "shared_with_worker",
            Self::Assigned => "assigned",
            Self::StatutoryOnly => "statutory_only",
        }
    }

    /// Reads the word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// Which purpose each step of a referral has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReferralRules {
    /// By step.
    pub purposes: BTreeMap<Step, PurposeCode>,
}

impl ReferralRules {
    /// The purpose of a step.
    pub fn purpose(&self, step: Step) -> Option<&PurposeCode> {
        self.purposes.get(&step)
    }

    /// What does not fit the rest of the file.
    pub(super) fn faults(&self, programme: &Programme, faults: &mut Vec<Fault>) {
        for step in Step::ALL {
            let purpose = self.purpose(step).and_then(|code| programme.purpose(code));
            if purpose.is_none_or(|purpose| purpose.statistical) {
                let sentence = "every step has a purpose that the programme lists, and none of statistics";
                faults.push(Fault::at(format!("referral.purposes.{}", step.as_str()), "unknown-purpose", sentence));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Every way through: the states that a referral passes.
    fn ways(from: State) -> Vec<Vec<State>> {
        let onward: Vec<State> = Event::ALL.into_iter().filter_map(|event| from.after(event)).collect();
        if onward.is_empty() {
            return vec![vec![from]];
        }
        let through = onward.into_iter().flat_map(ways);
        through.map(|way| [vec![from], way].concat()).collect()
    }

    #[test]
    fn the_route_has_exactly_the_four_branches_of_the_programme() {
        use State::*;
        let ways: BTreeSet<Vec<State>> = ways(Received).into_iter().collect();
        let branches = [
            vec![Received, Known, WorkerFound, SharedWithWorker],
            vec![Received, Known, NoWorker, Assigned],
            vec![Received, Unknown, Checked, Qualifies, TfidIssued, Assigned],
            vec![Received, Unknown, Checked, StatutoryOnly],
        ];
        assert_eq!(ways, branches.into_iter().collect());
    }

    #[test]
    fn no_event_leads_anywhere_but_where_the_next_step_is_due() {
        for state in State::ALL {
            for event in Event::ALL {
                let is_due = state.next() == Some(event.step());
                assert_eq!(state.after(event).is_some(), is_due, "{state:?} {event:?}");
            }
        }
    }

    #[test]
    fn every_state_is_reached_and_reads_back_as_written() {
        let reached: BTreeSet<State> = ways(State::Received).into_iter().flatten().collect();
        assert_eq!(reached, State::ALL.into_iter().collect());
        for state in State::ALL {
            assert_eq!(State::parse(state.as_str()), Some(state));
            assert_eq!(serde_json::to_value(state).expect("plain"), state.as_str());
        }
        assert_eq!(State::parse("lost"), None);
        for step in Step::ALL {
            assert_eq!(serde_json::to_value(step).expect("plain"), step.as_str());
        }
    }

    #[test]
    fn a_step_takes_a_finding_exactly_where_the_route_branches() {
        for step in Step::ALL {
            let branches = matches!(step, Step::CheckTracker | Step::FindWorker | Step::Qualify);
            assert_eq!(Event::of(step, Some(true)).is_some(), branches, "{step:?}");
            assert_eq!(Event::of(step, None).is_some(), !branches && step != Step::Receive, "{step:?}");
        }
        for event in Event::ALL {
            let finding =
                [None, Some(true), Some(false)].into_iter().find(|it| Event::of(event.step(), *it) == Some(event));
            assert!(finding.is_some(), "{event:?}");
        }
    }

    #[test]
    fn a_step_without_a_purpose_is_refused() {
        let shipped = include_str!("../../policies/programme.toml");
        assert!(Programme::parse(shipped.as_bytes()).expect("well-formed").referral().is_some());
        for (from, to) in
            [("qualify = \"programme-delivery\"\n", ""), ("share = \"lead-contact\"", "share = \"gossip\"")]
        {
            let faulty = shipped.replacen(from, to, 1);
            assert_ne!(faulty, shipped, "the replacement must find its text");
            let faults = Programme::parse(faulty.as_bytes()).expect_err("faulty");
            assert!(faults.0.iter().any(|fault| fault.code == "unknown-purpose"), "{faults}");
        }
    }
}
