//! Evidence, leads and claims in plain words: what a page calls each state, and what it means where it appears.

use super::plain::Tag;
use crate::domain::claim::{Change, Verdict};
use crate::domain::evidence::EvidenceState;
use crate::domain::family::{FamilyEventKind, IdentificationRoute, LeadState};

/// A word of a page with what it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Meaning {
    pub(super) tag: Tag,
    pub(super) plain: &'static str,
}

const fn meaning(said: &'static str, colour: &'static str, plain: &'static str) -> Meaning {
    Meaning { tag: Tag { said, colour }, plain }
}

/// What can be said of a criterion. Seven states, none of which stands for another.
pub(super) const fn state(state: EvidenceState) -> Meaning {
    match state {
        EvidenceState::Met => meaning("Met", "blue", "Evidence within the time that counts says so."),
        EvidenceState::NotMet => meaning(
            "Not met",
            "turquoise",
            "Everybody who is expected to know was heard in time, and each of them says that it is not so.",
        ),
        EvidenceState::NotKnown => {
            meaning("Not known", "grey", "Nobody has said. Silence is not a no: it may be met, and it may not.")
        }
        EvidenceState::Stale => meaning(
            "Stale",
            "yellow",
            "The delivery that would say is overdue, or what it said is too old to count. It is neither a yes nor a no.",
        ),
        EvidenceState::NotAssessable => meaning(
            "Cannot be assessed",
            "purple",
            "The person is too old for it by now, moved away, died, or the agency closed its record. That is no progress.",
        ),
        EvidenceState::Contested => {
            meaning("Disputed", "orange", "The person or an agency disputes the evidence: it counts neither way.")
        }
        EvidenceState::WithheldByPolicy => meaning(
            "Withheld by policy",
            "grey",
            "No agreement lets the data team hear anybody on it. That is the same for every family and says nothing \
             about this one.",
        ),
    }
}

/// Whether somebody leads.
pub(super) const fn lead(state: Option<LeadState>) -> Meaning {
    match state {
        Some(LeadState::Led) => meaning("Somebody leads", "blue", "A service leads for the family."),
        Some(LeadState::Ended) => {
            meaning("Nobody leads any more", "orange", "A service led for the family, and none does now.")
        }
        Some(LeadState::NotKnown) => {
            meaning("Lead not known", "grey", "Nobody who may be heard says that they lead, or led.")
        }
        None => meaning("Withheld by policy", "grey", "No agreement lets the data team hear who leads."),
    }
}

/// How a family came to the programme.
pub(super) const fn route(route: IdentificationRoute) -> &'static str {
    match route {
        IdentificationRoute::PhaseOneCarryOver => "Carried over from the first phase",
        IdentificationRoute::Referral => "Somebody referred it",
        IdentificationRoute::DataMatch => "A match run found it",
    }
}

/// What became of a family.
pub(super) const fn event(kind: FamilyEventKind) -> &'static str {
    match kind {
        FamilyEventKind::Issued => "It got its number.",
        FamilyEventKind::RecordsAdded => "Records were added.",
        FamilyEventKind::Attached => "It was attached: enough areas were met, and its data were validated.",
        FamilyEventKind::Engaged => "A service was seen to work with it after it was attached.",
        FamilyEventKind::Merged => "Another family became part of it.",
        FamilyEventKind::MergedAway => "It became part of another family.",
        FamilyEventKind::Split => "Some of its people became a family of their own.",
        FamilyEventKind::SplitOff => "It was made of people of another family.",
        FamilyEventKind::LeadStarted => "A service took the lead.",
        FamilyEventKind::LeadEnded => "The lead ended.",
        FamilyEventKind::ContinuityAlert => "Nobody leads while areas are still met.",
    }
}

/// What became of an area since engagement.
pub(super) const fn change(change: Change) -> Meaning {
    match change {
        Change::Progress => meaning("Progress", "blue", "Met then; now everybody who has to says that it is not."),
        Change::SteppedDown => meaning("Stepped down", "blue", "Still met, on a lower step of the programme’s ladder."),
        Change::Clear => meaning("Clear", "turquoise", "Not met then, and everybody who has to says the same now."),
        Change::StillMet => meaning("Still met", "yellow", "Met then and now."),
        Change::NewSince => meaning("New since", "red", "Met now and not at engagement: it got worse."),
        Change::Stale => meaning("Stale", "yellow", "A delivery is overdue, or what was said is too old."),
        Change::NotKnown => {
            meaning("Not known", "grey", "Somebody who has to speak says nothing. Silence is no progress.")
        }
        Change::WithheldByPolicy => meaning("Withheld by policy", "grey", "No agreement lets the claim hear anybody."),
        Change::NotAssessable => {
            meaning("Cannot be assessed", "purple", "Somebody aged out, or it no longer applies. A person decides.")
        }
        Change::Moved => {
            meaning("Moved", "purple", "Somebody moved or died, or a record was closed. A person decides.")
        }
        Change::Contested => meaning("Disputed", "orange", "The evidence is disputed. A person decides."),
        Change::NotCovered => {
            meaning("Not covered", "grey", "The criteria in force now have none on it. A person decides.")
        }
    }
}

/// What the check of a claim comes to.
pub(super) const fn verdict(verdict: Verdict) -> Meaning {
    match verdict {
        Verdict::Ready => meaning(
            "Ready",
            "blue",
            "Everything that the rules ask for was said, in time, by everybody who has to say it.",
        ),
        Verdict::NotReady => meaning("Not ready", "yellow", "The evidence does not carry the claim, or not yet."),
        Verdict::HumanReview => {
            meaning("A person has to look", "orange", "Some of it only a person can judge: see the reasons.")
        }
    }
}

/// Why a claim is not ready, from the code of the reason.
pub(super) fn reason(code: &str) -> &str {
    match code {
        "family-not-known" => "Nobody who was engaged is found in this family now.",
        "persons-linked-otherwise" => {
            "Records are linked to people otherwise than at engagement: whose progress is it?"
        }
        "person-gone" => "Somebody who was there at engagement is not found any more.",
        "record-gone" => "A record that the family had at engagement is gone.",
        "coverage-ended" => "Somebody moved, died, or an agency closed its record since engagement.",
        "criterion-redefined" => "The criterion is defined otherwise than at engagement.",
        "heard-no-longer" => "Somebody who could be heard at engagement may not be heard any more.",
        "attendance-not-certified" => {
            "School attendance cannot be certified for every child of school age in each of the last terms."
        }
        "not-eligible-at-engagement" => "Too few areas were met at engagement.",
        "work-not-confirmed" => "Nobody confirms continuous work.",
        "regression" => "It is met now and was not at engagement.",
        "still-met" => "It is still met.",
        "moved" => "Somebody moved or died, or a record was closed.",
        "not-assessable" => "Somebody aged out of it, or it no longer applies.",
        "stale" => "A delivery is overdue, or what was said is too old.",
        "not-known" => "Somebody who has to speak says nothing.",
        "withheld-by-policy" => "No agreement lets the claim hear anybody on it.",
        "contested" => "The evidence is disputed.",
        "not-covered" => "The criteria in force now have none on it.",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_states_of_evidence_share_a_word_and_none_blames() {
        use EvidenceState::{Contested, Met, NotAssessable, NotKnown, NotMet, Stale, WithheldByPolicy};
        let all = [Met, NotMet, NotKnown, Stale, NotAssessable, Contested, WithheldByPolicy].map(state);
        let words: std::collections::BTreeSet<&str> = all.iter().map(|meaning| meaning.tag.said).collect();
        assert_eq!(words.len(), all.len());
        for word in ["troubled", "turned around", "score"] {
            assert!(all.iter().all(|meaning| !meaning.plain.contains(word)), "{word}");
        }
    }
}
