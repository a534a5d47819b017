//! What a review finds: the fixed outcomes, how grave each is, what is done about it.

use crate::domain::words::words;

words! {
    /// What was found of a disclosure.
    Finding {
        /// There was a basis, and no more was told than was needed.
        Justified = "justified",
        /// Justified, but the record of it lacks something.
        RecordIncomplete = "record_incomplete",
        /// There was a basis; less would have done.
        Minimisation = "not_justified_minimisation",
        /// There was none.
        NoBasis = "not_justified_no_basis",
        /// Somebody else than the person meant was asked or told about.
        WrongSubject = "wrong_subject",
        /// The Data Protection Officer has to say whether there was a basis.
        BasisUnclear = "basis_unclear",
        /// Somebody may have asked for reasons of their own.
        SuspectedMisuse = "suspected_misuse",
    }
}

words! {
    /// How grave it is.
    Severity {
        /// Nothing is wrong.
        None = "none",
        /// Nobody was harmed, nor could have been.
        Low = "low",
        /// Somebody could have been harmed.
        Medium = "medium",
        /// Somebody was harmed, or may be.
        High = "high",
    }
}

words! {
    /// What is done about it.
    Action {
        /// Nothing.
        None = "none",
        /// A note corrects what the record lacks.
        CorrectNote = "correct_note",
        /// The people who asked are trained.
        Retrain = "retrain",
        /// An agreement or a rule is changed.
        ChangePolicy = "change_policy",
        /// The agreement is suspended, at once when the finding takes effect.
        SuspendAgreement = "suspend_agreement",
        /// It is dealt with as a personal data breach.
        BreachCase = "breach_case",
        /// The Data Protection Officer decides.
        ReferToOfficer = "refer_to_dpo",
    }
}

words! {
    /// What an agency says to a finding about its own disclosure.
    Position {
        /// It agrees.
        Accepted = "accepted",
        /// It does not agree, and says elsewhere why.
        Disputed = "disputed",
        /// It has put right what was found.
        Corrected = "corrected",
    }
}

impl Finding {
    /// Adverse findings take effect only when a second person has confirmed them.
    pub const fn is_adverse(self) -> bool {
        matches!(self, Self::Minimisation | Self::NoBasis | Self::WrongSubject | Self::SuspectedMisuse)
    }

    /// Whether the question is still open: another officer has to decide.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::BasisUnclear)
    }
}

/// What a reviewer decided, as far as its parts have to fit one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decided {
    /// What was found.
    pub finding: Finding,
    /// How grave it is.
    pub severity: Severity,
    /// What is done.
    pub action: Action,
    /// Whether an owner and a day by which it is done are named.
    pub has_owner_and_day: bool,
    /// Whether the agreement to suspend is named.
    pub names_agreement: bool,
}

/// Why the parts of a decision do not fit one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// A justified disclosure has no severity and needs nothing done.
    #[error("what was justified has severity none and action none")]
    Justified,
    /// Anything else has a severity and an action.
    #[error("a finding other than justified needs a severity and an action")]
    Bare,
    /// An unclear basis is referred, and nothing else is.
    #[error("an unclear basis goes to the data protection officer, and nothing else does")]
    Referral,
    /// An agreement is suspended for an adverse finding alone.
    #[error("an agreement is suspended only for an adverse finding")]
    Suspension,
    /// An action has an owner and a day; where there is none, neither.
    #[error("an action needs an owner and a day by which it is done, and only an action does")]
    Owner,
    /// The agreement to suspend is named for that action alone.
    #[error("name the agreement where it is to be suspended, and only there")]
    Agreement,
}

impl Decided {
    /// Checks that the parts fit one another.
    ///
    /// # Errors
    ///
    /// [`Unfit`] naming the first rule that is broken.
    pub fn check(self) -> Result<(), Unfit> {
        let Self { finding, severity, action, has_owner_and_day, names_agreement } = self;
        let is_bare = (severity == Severity::None, action == Action::None);
        if finding == Finding::Justified && is_bare != (true, true) {
            return Err(Unfit::Justified);
        }
        if finding != Finding::Justified && (is_bare.0 || is_bare.1) {
            return Err(Unfit::Bare);
        }
        if finding.is_open() != (action == Action::ReferToOfficer) {
            return Err(Unfit::Referral);
        }
        if action == Action::SuspendAgreement && !finding.is_adverse() {
            return Err(Unfit::Suspension);
        }
        if has_owner_and_day == (action == Action::None) {
            return Err(Unfit::Owner);
        }
        if names_agreement != (action == Action::SuspendAgreement) {
            return Err(Unfit::Agreement);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(finding: Finding, severity: Severity, action: Action, owner: bool, agreement: bool) -> Result<(), Unfit> {
        Decided { finding, severity, action, has_owner_and_day: owner, names_agreement: agreement }.check()
    }

    #[test]
    fn every_word_reads_back_and_no_other_is_taken() {
        for finding in Finding::ALL {
            assert_eq!(finding.as_str().parse(), Ok(*finding));
        }
        for action in Action::ALL {
            assert_eq!(action.as_str().parse(), Ok(*action));
        }
        assert!("fine".parse::<Finding>().is_err());
    }

    #[test]
    fn the_parts_of_a_decision_fit_one_another() {
        use Finding::{BasisUnclear, Justified, NoBasis, RecordIncomplete};
        assert_eq!(check(Justified, Severity::None, Action::None, false, false), Ok(()));
        assert_eq!(check(RecordIncomplete, Severity::Low, Action::CorrectNote, true, false), Ok(()));
        assert_eq!(check(NoBasis, Severity::High, Action::SuspendAgreement, true, true), Ok(()));
        assert_eq!(check(BasisUnclear, Severity::Medium, Action::ReferToOfficer, true, false), Ok(()));
        for (unfit, wrong) in [
            (Unfit::Justified, check(Justified, Severity::Low, Action::None, false, false)),
            (Unfit::Justified, check(Justified, Severity::None, Action::Retrain, true, false)),
            (Unfit::Bare, check(NoBasis, Severity::None, Action::Retrain, true, false)),
            (Unfit::Bare, check(NoBasis, Severity::High, Action::None, false, false)),
            (Unfit::Referral, check(BasisUnclear, Severity::Low, Action::Retrain, true, false)),
            (Unfit::Referral, check(NoBasis, Severity::Low, Action::ReferToOfficer, true, false)),
            (Unfit::Suspension, check(RecordIncomplete, Severity::Low, Action::SuspendAgreement, true, true)),
            (Unfit::Owner, check(NoBasis, Severity::Low, Action::Retrain, false, false)),
            (Unfit::Owner, check(Justified, Severity::None, Action::None, true, false)),
            (Unfit::Agreement, check(NoBasis, Severity::High, Action::SuspendAgreement, true, false)),
            (Unfit::Agreement, check(NoBasis, Severity::High, Action::Retrain, true, true)),
        ] {
            assert_eq!(wrong, Err(unfit));
        }
    }

    #[test]
    fn adverse_is_what_was_not_justified_and_nothing_else() {
        let adverse: Vec<&str> = Finding::ALL.iter().filter(|it| it.is_adverse()).map(|it| it.as_str()).collect();
        let expected = ["not_justified_minimisation", "not_justified_no_basis", "wrong_subject", "suspected_misuse"];
        assert_eq!(adverse, expected);
    }
}
