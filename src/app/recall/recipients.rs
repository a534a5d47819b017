//! Who receives something that a recall follows: the one list of ways, by which the log is looked through.
//!
//! | way | what left | how it is judged |
//! |---|---|---|
//! | `Answer` | the answer to an enquiry, a row of a screening, a claim check | once more, from the evidence of its entry |
//! | `Engagement` | the evidence that an engagement was recorded with | likewise |
//! | `FamilyLook` | what a family's number was looked up for | it showed the people themselves: what was wrong in it was seen |
//! | `RunReading` | the families of a match run | by the run's kept lines: likewise |
//! | `Table` | counts of many families | by the days that it counts: it rested on the delivery, whatever that changed |
//! | `Preview` | counts by a programme file that is not in force | by the day on which it was made: likewise |

use crate::domain::ids::AgencyCode;
use crate::store::FindingKind;
use crate::tlog::entry::{Body, Outcome};

/// A way in which somebody receives something that rests on records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// The answer to an enquiry, a row of a screening or a claim check.
    Answer,
    /// The evidence that an engagement was recorded with.
    Engagement,
    /// A look at a family by its number.
    FamilyLook,
    /// The families of a match run.
    RunReading,
    /// A table of counts.
    Table,
    /// A preview of counts.
    Preview,
}

impl Way {
    /// What is kept of it when it was wrong.
    pub(super) const fn finding(self) -> FindingKind {
        match self {
            Self::Answer | Self::FamilyLook => FindingKind::Answer,
            Self::Engagement => FindingKind::Engagement,
            Self::RunReading => FindingKind::Run,
            Self::Table | Self::Preview => FindingKind::Table,
        }
    }
}

/// Somebody who received something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Recipient {
    /// In which way.
    pub(super) way: Way,
    /// Who.
    pub(super) agency: AgencyCode,
    /// How the notice names what left.
    pub(super) form: String,
}

impl Recipient {
    /// `None` for an entry by which nobody received anything about persons: refusals, and steps of a run that
    /// give nothing away.
    pub(super) fn of(body: &Body) -> Option<Self> {
        let answered = Outcome::Answered;
        let (way, agency, form) = match body {
            Body::Enquiry(asked) if asked.outcome == answered => {
                let way = match asked.mode.as_str() {
                    "engagement" => Way::Engagement,
                    "preview" => Way::Preview,
                    _ => Way::Answer,
                };
                (way, &asked.recipient, asked.mode.as_str())
            }
            Body::FamilyDisclosure(asked) if asked.outcome == answered => (Way::FamilyLook, &asked.recipient, "family"),
            Body::MatchRunStep(step) if step.outcome == answered && step.step.as_str() == "families" => {
                (Way::RunReading, &step.agency, "match-run")
            }
            Body::Statistics(table) if table.outcome == answered => (Way::Table, &table.recipient, "table"),
            _ => return None,
        };
        Some(Self { way, agency: agency.clone(), form: form.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::TELLING_TYPES;
    use crate::tlog::entry::Enquiry;
    use crate::tlog::testing::enquiry;

    fn an_enquiry() -> Box<Enquiry> {
        match enquiry(0) {
            Body::Enquiry(asked) => asked,
            other => panic!("an enquiry: {other:?}"),
        }
    }

    #[test]
    fn an_answer_has_a_recipient_by_its_mode_and_a_refusal_has_none() {
        let way = |mode: &str, outcome: Outcome| {
            let mut body = an_enquiry();
            (body.mode, body.outcome) = (mode.parse().expect("a code"), outcome);
            Recipient::of(&Body::Enquiry(body)).map(|it| (it.way, it.form))
        };
        assert_eq!(way("areas", Outcome::Answered), Some((Way::Answer, "areas".to_owned())));
        assert_eq!(way("engagement", Outcome::Answered), Some((Way::Engagement, "engagement".to_owned())));
        assert_eq!(way("preview", Outcome::Answered), Some((Way::Preview, "preview".to_owned())));
        assert_eq!(way("areas", Outcome::Refused("ceiling".parse().expect("a code"))), None);
        let mut look = an_enquiry();
        look.outcome = Outcome::Answered;
        let look = Body::FamilyDisclosure(look);
        assert_eq!(Recipient::of(&look).map(|it| (it.way, it.form)), Some((Way::FamilyLook, "family".to_owned())));
        assert!(TELLING_TYPES.contains(&look.kind()));
    }
}
