//! Hearing the suppliers on one criterion for one person.

use std::collections::BTreeSet;

use jiff::civil::Date;

use super::facts::Facts;
use super::{EvidenceState, Judgement, Member, Statement};
use crate::domain::ids::{AgencyCode, FeedCode};
use crate::domain::programme::{Criterion, Window};
use crate::domain::record::{Coverage, EvidenceGrade, Flag, FlagState, ParentalResponsibility, Role};

/// A person as the set shows them.
pub(super) struct Visible<'m> {
    roles: BTreeSet<Role>,
    parental_responsibility: ParentalResponsibility,
    /// One of the records says so; such a person is no child to criteria that do not include them.
    is_send_18_25: bool,
    statements: Vec<&'m Statement>,
}

/// Drops every statement from outside the set, then everybody of whom nothing is left.
pub(super) fn visible<'m>(members: &'m [Member], facts: &Facts<'_>) -> Vec<Visible<'m>> {
    let mut seen: Vec<Visible<'m>> = Vec::new();
    for member in members {
        let permitted =
            member.statements.iter().filter(|statement| facts.set.has_feed(&statement.agency, &statement.feed));
        let statements: Vec<&Statement> = permitted.collect();
        if !statements.is_empty() {
            seen.push(Visible::of(statements));
        }
    }
    if seen.is_empty() {
        seen.push(Visible::of(Vec::new()));
    }
    seen
}

impl<'m> Visible<'m> {
    fn of(statements: Vec<&'m Statement>) -> Self {
        let mut roles: BTreeSet<Role> = statements.iter().map(|statement| statement.evidence.role).collect();
        if roles.len() > 1 {
            roles.remove(&Role::Unknown); // another agency knows
        } else if roles.is_empty() {
            roles.insert(Role::Unknown);
        }
        let said = |what| statements.iter().any(|statement| statement.evidence.parental_responsibility == what);
        let parental_responsibility = match (said(ParentalResponsibility::Yes), said(ParentalResponsibility::No)) {
            (true, false) => ParentalResponsibility::Yes,
            (false, true) => ParentalResponsibility::No,
            _ => ParentalResponsibility::Unknown, // nobody says, or they differ
        };
        let is_send_18_25 = statements.iter().any(|statement| statement.evidence.send_18_25);
        Self { roles, parental_responsibility, is_send_18_25, statements }
    }

    /// Whether the criterion applies or may apply. Agencies can differ about a role (a student of
    /// 19): the criteria of either role are looked at.
    pub(super) fn may_meet(&self, criterion: &Criterion) -> bool {
        if self.is_send_18_25 {
            return criterion.may_apply_to_send_18_25(self.parental_responsibility);
        }
        self.roles.iter().any(|role| criterion.applies(*role, self.parental_responsibility) != Some(false))
    }
}

/// What one record says of one criterion.
enum Voice {
    /// With the newest day of hard evidence and of a professional's judgement; one of them at least.
    Met {
        hard: Option<Date>,
        professional: Option<Date>,
    },
    NotMet,
    Silent,
    Stale,
    NotAssessable,
    Contested,
}

/// Feeds by whose they are: what one feed of an agency may say, another may not.
pub(super) type Heard<'f> = BTreeSet<(&'f AgencyCode, &'f FeedCode)>;

/// Those who are heard on one criterion.
pub(super) struct Panel<'f> {
    criterion: &'f Criterion,
    facts: &'f Facts<'f>,
    /// The feeds that may contribute to the criterion's area.
    heard: &'f Heard<'f>,
    /// The feeds that the calendar expects to speak.
    expected: Heard<'f>,
    /// Whether somebody is expected, and everybody who is expected is heard.
    pub(super) is_complete: bool,
    /// Whether a feed that is expected and heard is overdue.
    is_overdue: bool,
}

impl<'f> Panel<'f> {
    pub(super) fn of(criterion: &'f Criterion, heard: &'f Heard<'f>, facts: &'f Facts<'f>) -> Self {
        let day = facts.now.date();
        let mut feeds = facts.programme.expected_feeds(&criterion.code, day);
        let expected: Heard<'f> =
            facts.programme.expected_feeds(&criterion.code, day).map(|feed| (&feed.agency, &feed.code)).collect();
        Self {
            is_complete: !expected.is_empty() && expected.iter().all(|feed| heard.contains(feed)),
            is_overdue: feeds.any(|feed| heard.contains(&(&feed.agency, &feed.code)) && facts.is_late(feed)),
            criterion,
            facts,
            heard,
            expected,
        }
    }

    /// Hears everybody on one person. A dispute stands above all; then one who says `met` is enough,
    /// since each supplier sees a part; and only without an open point can it be `not_met`.
    pub(super) fn judge(&self, member: usize, person: &Visible<'_>) -> Judgement {
        let mut denying: BTreeSet<&AgencyCode> = BTreeSet::new();
        let (mut hard, mut professional): (Option<Date>, Option<Date>) = (None, None);
        let (mut is_contested, mut is_stale, mut is_unassessable) = (false, self.is_overdue, false);
        for statement in person.statements.iter().filter(|statement| self.heard.contains(&feed_of(statement))) {
            match self.voice(statement) {
                Voice::Met { hard: says_hard, professional: says_soft } => {
                    hard = hard.max(says_hard); // no day is less than any day
                    professional = professional.max(says_soft);
                }
                Voice::NotMet => {
                    denying.insert(&statement.agency);
                }
                Voice::Silent => {}
                Voice::Stale => is_stale = true,
                Voice::NotAssessable => is_unassessable = true,
                Voice::Contested => is_contested = true,
            }
        }
        let state = if is_contested {
            EvidenceState::Contested
        } else if hard.or(professional).is_some() {
            EvidenceState::Met
        } else if is_stale {
            EvidenceState::Stale
        } else if is_unassessable {
            EvidenceState::NotAssessable
        } else if self.is_complete && self.expected.iter().all(|(supplier, _)| denying.contains(supplier)) {
            EvidenceState::NotMet
        } else {
            EvidenceState::NotKnown
        };
        let is_met = state == EvidenceState::Met;
        let grade = if hard.is_some() { EvidenceGrade::Hard } else { EvidenceGrade::Professional };
        Judgement {
            member,
            criterion: self.criterion.code.clone(),
            version: self.facts.version.from,
            state,
            grade: is_met.then_some(grade),
            newest: hard.or(professional).filter(|_| is_met),
            professional: professional.filter(|_| is_met),
        }
    }

    fn voice(&self, statement: &Statement) -> Voice {
        let evidence = &statement.evidence;
        let counts = |flag: &&Flag| {
            flag.criterion == self.criterion.code
                && (flag.evidence == EvidenceGrade::Hard || self.criterion.equivalence)
        };
        let computed = self.facts.flag_of_attendance(self.criterion, evidence);
        let flags: Vec<&Flag> = evidence.flags.iter().filter(counts).chain(&computed).collect();
        if flags.is_empty() && !self.expected.contains(&feed_of(statement)) {
            return Voice::Silent; // it was never going to speak of this
        }
        let says = |state| flags.iter().copied().filter(move |flag| flag.state == state);
        let in_date = |flag: &&Flag| self.is_in_date(flag, statement);

        if says(FlagState::Contested).any(|flag| in_date(&flag)) {
            return Voice::Contested;
        }
        if self.facts.is_overdue(statement) {
            return Voice::Stale;
        }
        let today = self.facts.now.date();
        let aged_out = evidence.assessable_until.is_some_and(|month| month.last_day() < today);
        let is_gone = aged_out || matches!(evidence.coverage, Coverage::Moved | Coverage::Deceased);
        if is_gone {
            return Voice::NotAssessable;
        }
        let is_closed = evidence.coverage == Coverage::Closed;
        // A closed record cannot say what goes on, but what ended inside the window did happen.
        let stands = |flag: &&Flag| !is_closed || flag.to.is_some();
        let day = |flag: &Flag| flag.to.unwrap_or(today).min(self.day_of(statement));
        let met: Vec<&Flag> = says(FlagState::Met).filter(in_date).filter(stands).collect();
        let newest = |grade| met.iter().filter(|flag| flag.evidence == grade).map(|flag| day(flag)).max();
        let (hard, professional) = (newest(EvidenceGrade::Hard), newest(EvidenceGrade::Professional));
        if hard.or(professional).is_some() {
            return Voice::Met { hard, professional };
        }
        if is_closed {
            Voice::NotAssessable
        } else if says(FlagState::NotMet).any(|flag| in_date(&flag)) {
            Voice::NotMet
        } else if says(FlagState::NotMet).next().is_some() {
            Voice::Stale
        } else {
            Voice::Silent
        }
    }

    /// Whether a flag's event or period lies in the criterion's window. What must hold on the day
    /// itself must hold on the day of the delivery, the last day of which the feed can speak.
    fn is_in_date(&self, flag: &Flag, statement: &Statement) -> bool {
        let at = match self.criterion.window {
            Window::Current => self.day_of(statement),
            Window::Months(_) | Window::Terms(_) => self.facts.now.date(),
        };
        self.facts.programme.is_in_window(self.criterion, flag, at).unwrap_or(false)
    }

    fn day_of(&self, statement: &Statement) -> Date {
        let today = self.facts.now.date();
        self.facts.as_at(&statement.agency, &statement.feed).map_or(today, |as_at| as_at.min(today))
    }
}

fn feed_of(statement: &Statement) -> (&AgencyCode, &FeedCode) {
    (&statement.agency, &statement.feed)
}

pub(super) fn firmness(grade: EvidenceGrade) -> u8 {
    match grade {
        EvidenceGrade::Hard => 0,
        EvidenceGrade::Professional => 1,
    }
}
