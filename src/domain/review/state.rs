//! Where a review is, and what may happen to it next. Nothing else moves one.

use super::finding::Finding;
use crate::domain::words::words;

words! {
    /// Where the review of one disclosure is.
    State {
        /// Drawn; nobody reviews it yet.
        Drawn = "drawn",
        /// A reviewer has looked at it.
        Taken = "taken",
        /// The basis is unclear: another officer decides.
        Referred = "referred",
        /// An adverse finding waits for a second reviewer.
        Proposed = "proposed",
        /// The finding stands, and what it asks for is not done yet.
        Due = "due",
        /// Over.
        Closed = "closed",
    }
}

/// What happens to a review.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A reviewer looks at it.
    Take,
    /// The reviewer gives it back, undecided.
    Release,
    /// A reviewer decides; whether anything has to be done.
    Decide(Finding, HasAction),
    /// A second reviewer agrees with an adverse finding: it takes effect.
    Confirm,
    /// A second reviewer does not agree: it is reviewed anew, by somebody else.
    Return,
    /// What was to be done is done.
    Complete,
}

/// Whether a decision asks for something to be done.
pub type HasAction = bool;

impl Event {
    /// The word in the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Take => "taken",
            Self::Release => "released",
            Self::Decide(..) => "decided",
            Self::Confirm => "confirmed",
            Self::Return => "returned",
            Self::Complete => "done",
        }
    }
}

impl State {
    /// Where it goes; `None` when this does not happen to a review that is here.
    pub const fn after(self, event: Event) -> Option<Self> {
        Some(match (self, event) {
            (Self::Drawn, Event::Take) => Self::Taken,
            (Self::Taken, Event::Release) | (Self::Proposed, Event::Return) => Self::Drawn,
            (Self::Taken, Event::Decide(finding, _)) if finding.is_open() => Self::Referred,
            (Self::Taken | Self::Referred, Event::Decide(finding, _)) if finding.is_adverse() => Self::Proposed,
            (Self::Taken, Event::Decide(_, true)) | (Self::Proposed, Event::Confirm) => Self::Due,
            (Self::Referred, Event::Decide(finding, true)) if !finding.is_open() => Self::Due,
            (Self::Taken | Self::Referred, Event::Decide(_, false)) | (Self::Due, Event::Complete) => Self::Closed,
            _ => return None,
        })
    }

    /// Whether a finding stands: it counts, and the agency that it is about sees it.
    pub const fn stands(self) -> bool {
        matches!(self, Self::Due | Self::Closed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENTS: [Event; 9] = [
        Event::Take,
        Event::Release,
        Event::Decide(Finding::Justified, false),
        Event::Decide(Finding::RecordIncomplete, true),
        Event::Decide(Finding::NoBasis, true),
        Event::Decide(Finding::BasisUnclear, true),
        Event::Confirm,
        Event::Return,
        Event::Complete,
    ];

    #[test]
    fn the_whole_route_is_this_table_and_nothing_else() {
        let mut found = Vec::new();
        for from in State::ALL {
            for (number, event) in EVENTS.into_iter().enumerate() {
                found.extend(from.after(event).map(|to| (from.as_str(), number, to.as_str())));
            }
        }
        let expected = [
            ("drawn", 0, "taken"),
            ("taken", 1, "drawn"),
            ("taken", 2, "closed"),
            ("taken", 3, "due"),
            ("taken", 4, "proposed"),
            ("taken", 5, "referred"),
            ("referred", 2, "closed"),
            ("referred", 3, "due"),
            ("referred", 4, "proposed"),
            ("proposed", 6, "due"),
            ("proposed", 7, "drawn"),
            ("due", 8, "closed"),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn no_adverse_finding_stands_without_a_second_person() {
        for from in State::ALL {
            for finding in Finding::ALL.iter().filter(|finding| finding.is_adverse()) {
                let to = from.after(Event::Decide(*finding, true));
                assert!(to.is_none_or(|to| !to.stands()), "{from} {finding}");
            }
        }
    }
}
