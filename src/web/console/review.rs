//! The review of one disclosure: an officer reads it, says what was found, and what is done about it.
//!
//! Nothing of the disclosure is shown before the officer asks to read it, because reading is an entry of
//! the log and makes the review theirs.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::{IntoResponse, Response};

use super::Console;
use super::deciding::{self, Deciding};
use super::fields::{CODE_HINT, Choice, Form};
use super::form::Posted;
use super::frame::{Again, Failed, Frame, Shown, capitalised, see_other};
use super::plain::{self, Tag};
use super::reviews::is_registered;
use super::visitor::Visitor;
use super::{page, words};
use crate::app::error::AppError;
use crate::app::review::ReviewError;
use crate::app::review::steps::{Asked, Verdict, date_of};
use crate::config::Persona;
use crate::domain::account::Account;
use crate::domain::ids::{AgreementRef, EventId};
use crate::domain::review::finding::{Action, Finding, Position, Severity, Unfit};
use crate::domain::review::state::State as ReviewState;
use crate::store::StoredReview;
use crate::tlog::entry::{Entry, EntryFacts};

/// What is said after a step.
const DONE: &[(&str, &str)] = &[
    ("read", "You have this review now. What you read below is in the log as your look."),
    ("release", "The review is given back. Another officer can take it."),
    ("decide", "Your outcome is recorded."),
    ("confirm", "The finding is confirmed and has taken effect."),
    ("return", "The finding is returned. Another officer reviews the disclosure anew."),
    ("complete", "What the finding asked for is recorded as done. The review is closed."),
];

#[derive(Template)]
#[template(path = "review.html")]
pub(super) struct ReviewPage {
    frame: Frame,
    index: u64,
    entry: String,
    state: Tag,
    facts: Vec<(&'static str, String)>,
    read: Option<Read>,
    note: &'static str,
    forms: Vec<Form>,
    replies: Vec<String>,
}

/// What the officer reads.
struct Read {
    said: String,
    deciding: Deciding,
    sentences: Vec<String>,
    look: String,
}

/// What a page is made of before its forms are filled in.
struct Found {
    review: StoredReview,
    state: ReviewState,
    read: Option<Read>,
    agreements: Vec<AgreementRef>,
    replies: Vec<String>,
    is_officer: bool,
}

/// Shows the review.
pub(super) async fn show(
    State(console): State<Console>,
    visitor: Visitor,
    Path(entry): Path<String>,
    uri: Uri,
) -> Result<Shown<ReviewPage>, Failed> {
    let found = find(&console, &visitor, &entry).await?;
    let forms = forms(&visitor, &found);
    let mut shown = page_of(&console, &visitor, found, forms).await?;
    shown.frame = shown.frame.done(&uri, DONE);
    Ok(Shown(shown))
}

/// Takes a step.
pub(super) async fn step(
    State(console): State<Console>,
    Path(entry): Path<String>,
    posted: Posted,
) -> Result<Response, Failed> {
    let Posted { visitor, fields } = posted;
    let frame = || visitor.frame("One review", &page::REVIEWS);
    let event: EventId = entry.parse().map_err(|_| Failed::Unknown(Box::new(frame())))?;
    let path = format!("/reviews/{event}");
    let account = visitor.session.account.as_str();
    if fields.get("step") == Some("read") {
        let read = console.gateway().read_for_review(account, &visitor.grounds(), event).await;
        return match read {
            Ok(_) => Ok(see_other(&path, "read")),
            Err(ReviewError::Look(error)) => Err(Failed::of_look(error, frame())),
            Err(ReviewError::App(error)) => Err(error.into()),
            Err(ReviewError::Unknown) => Err(Failed::Unknown(Box::new(frame()))),
            Err(error) => Err(Failed::Stopped(Box::new(frame()), said_of(&error))),
        };
    }
    let found = find(&console, &visitor, &entry).await?;
    let mut forms = forms(&visitor, &found);
    let Some(form) = forms.iter_mut().find(|form| Some(form.step()) == fields.get("step")) else {
        return Err(Failed::Stopped(
            Box::new(frame()),
            "Somebody else moved this review on meanwhile. Look at it again.".to_owned(),
        ));
    };
    form.take(&fields);
    if let Some((asked, reason)) = read(form) {
        match console.gateway().step_review(account, event, &asked, &reason).await {
            Ok(_) => return Ok(see_other(&path, form.step())),
            Err(ReviewError::App(error)) => return Err(error.into()),
            Err(error) => explain(form, &error),
        }
    }
    let faults = form.faults();
    let mut shown = page_of(&console, &visitor, found, forms).await?;
    shown.frame = shown.frame.with_faults(faults);
    Ok(Again(shown).into_response())
}

async fn find(console: &Console, visitor: &Visitor, entry: &str) -> Result<Found, Failed> {
    let gateway = console.gateway();
    let frame = || visitor.frame("One review", &page::REVIEWS);
    let unknown = || Failed::Unknown(Box::new(frame()));
    let event: EventId = entry.parse().map_err(|_| unknown())?;
    let account = visitor.session.account.as_str();
    let review = gateway.store().review(event).await.map_err(AppError::from)?.ok_or_else(unknown)?;
    let is_officer = visitor.access.persona == Persona::Officer && is_registered(console, account).await?;
    let has_looked = gateway.store().review_look(event, account).await.map_err(AppError::from)?.is_some();
    let state = review.state.parse().map_err(|_| AppError::Internal("a review's state"))?;
    if !(is_officer && has_looked) {
        return Ok(Found { review, state, read: None, agreements: Vec::new(), replies: Vec::new(), is_officer });
    }
    let read = match gateway.read_for_review(account, &visitor.grounds(), event).await {
        Ok(read) => read,
        Err(ReviewError::Look(error)) => return Err(Failed::of_look(error, frame())),
        Err(ReviewError::App(error)) => return Err(error.into()),
        Err(error) => return Err(Failed::Stopped(Box::new(frame()), said_of(&error))),
    };
    let policies = gateway.current_policies().await?;
    let body = read.read.proved.entry.as_bytes();
    let agreements = EntryFacts::of(body).map(|facts| facts.agreements).unwrap_or_default();
    let parsed = Entry::parse(body).ok();
    let reply = |reply: &crate::store::StoredReviewReply| {
        let said = match reply.position.parse() {
            Ok(Position::Accepted) => "accepts the finding",
            Ok(Position::Disputed) => "disputes the finding",
            Ok(Position::Corrected) => "has put right what was found",
            Err(_) => "replied",
        };
        format!("On {} the agency {said}: {}.", words::moment(reply.at), reply.reason)
    };
    let state = read.review.state.parse().map_err(|_| AppError::Internal("a review's state"))?;
    Ok(Found {
        state,
        replies: read.replies.iter().map(reply).collect(),
        read: Some(Read {
            said: parsed.as_ref().map_or_else(String::new, |entry| words::sentence(entry, &policies)),
            deciding: parsed.as_ref().map(|entry| deciding::told(entry, &policies)).unwrap_or_default(),
            sentences: read.read.sentences,
            look: read.read.logged.disclosure.to_string(),
        }),
        review: read.review,
        agreements,
        is_officer,
    })
}

/// What the officer may do now.
fn forms(visitor: &Visitor, found: &Found) -> Vec<Form> {
    let account = Account::of(&visitor.session.account);
    let path = format!("/reviews/{}", found.review.entry);
    let is_mine = found.review.reviewer.as_deref().is_some_and(|by| account.is(by));
    let is_barred = found.review.barred.iter().any(|barred| account.is(barred));
    let form = |step, heading, button| Form::new(visitor, path.as_str(), step, heading, button);
    if !found.is_officer {
        return Vec::new();
    }
    if found.read.is_none() {
        return vec![form("read", "", "Read the disclosure")];
    }
    match found.state {
        ReviewState::Taken if is_mine => vec![
            outcome(form("decide", "Your outcome", "Record the outcome"), &found.agreements),
            reason(form("release", "Or give it back", "Give the review back").secondary(), "Why do you give it back?"),
        ],
        ReviewState::Referred if !is_barred => {
            vec![outcome(form("decide", "Your outcome", "Record the outcome"), &found.agreements)]
        }
        ReviewState::Proposed if !is_mine => vec![
            reason(form("confirm", "Confirm the finding", "Confirm: it takes effect"), "Why do you agree?"),
            reason(form("return", "Or return it", "Return it").secondary(), "Why do you not agree?"),
        ],
        ReviewState::Due => {
            vec![reason(form("complete", "Is it done?", "It is done: close the review"), "What shows that it is done?")]
        }
        _ => Vec::new(),
    }
}

fn reason(form: Form, label: &'static str) -> Form {
    form.text("reason", label, CODE_HINT)
}

fn outcome(form: Form, agreements: &[AgreementRef]) -> Form {
    let form = form
        .radios("finding", "What did you find?", "", plain::choices(Finding::ALL, plain::finding))
        .radios("severity", "How grave is it?", "", plain::choices(Severity::ALL, plain::severity))
        .radios("action", "What is done about it?", "", plain::choices(Action::ALL, plain::action));
    let form = if agreements.is_empty() {
        form
    } else {
        let mut choices = vec![Choice::of("", "None")];
        choices.extend(agreements.iter().map(|agreement| Choice::of(agreement, agreement.to_string())));
        form.select("agreement", "Which agreement is suspended?", "Only where you chose to suspend one", choices)
    };
    let form = form
        .text(
            "owner",
            "Who does it?",
            "A post or account, such as early-help-manager. Leave it empty where nothing is done.",
        )
        .day("due", "By which day is it done?");
    reason(form, "Why, or where is it written up?")
}

/// The step that a form asks for, with its reason.
fn read(form: &mut Form) -> Option<(Asked, String)> {
    let asked = match form.step() {
        "release" => Asked::Release,
        "confirm" => Asked::Confirm,
        "return" => Asked::Return,
        "complete" => Asked::Complete,
        _ => {
            let (finding, severity) = (form.chosen::<Finding>("finding"), form.chosen::<Severity>("severity"));
            let action = form.chosen::<Action>("action");
            let (owner, due) = (form.optional_code("owner"), form.optional_date("due"));
            let agreement = form.optional_chosen::<AgreementRef>("agreement");
            let verdict = Verdict { finding: finding?, severity: severity?, action: action?, owner, due, agreement };
            if verdict.action != Action::None && verdict.owner.is_none() {
                form.fault("owner", "Enter who does it");
            }
            if verdict.action != Action::None && verdict.due.is_none() {
                form.fault("due", "Enter the day by which it is done");
            }
            Asked::Decide(verdict)
        }
    };
    let reason = form.code("reason")?;
    form.faults().is_empty().then(|| (asked, reason.to_string()))
}

/// Says at its field why a step was not taken.
fn explain(form: &mut Form, error: &ReviewError) {
    let (field, said) = match error {
        ReviewError::Unfit(Unfit::Justified) => {
            ("severity", "What was justified has the severity none, and nothing is done about it")
        }
        ReviewError::Unfit(Unfit::Bare) => {
            ("severity", "What was not simply justified has a severity, and something is done about it")
        }
        ReviewError::Unfit(Unfit::Referral) => {
            ("action", "An unclear basis is referred to the Data Protection Officer, and nothing else is")
        }
        ReviewError::Unfit(Unfit::Suspension) => {
            ("action", "An agreement is suspended only where the disclosure was not justified")
        }
        ReviewError::Unfit(Unfit::Owner) => {
            ("owner", "Whatever is done has somebody who does it and a day; where nothing is done, leave both empty")
        }
        ReviewError::Unfit(Unfit::Agreement) => {
            ("agreement", "Choose the agreement where one is to be suspended, and only there")
        }
        ReviewError::Agreement => ("agreement", "The disclosure did not go under that agreement"),
        ReviewError::Day => ("due", "The day by which it is done is past"),
        other => return form.refuse(said_of(other)),
    };
    form.fault(field, said);
    if form.faults().is_empty() {
        form.refuse(said);
    }
}

fn said_of(error: &ReviewError) -> String {
    match error {
        ReviewError::Requester => {
            "You, or somebody of your agency who cannot be told from you, made this disclosure happen: an officer of \
             another agency reviews it."
                .to_owned()
        }
        ReviewError::Approver => {
            "You signed or approved an agreement that this disclosure went under: another officer reviews it."
                .to_owned()
        }
        other => format!("{}.", capitalised(&other.to_string())),
    }
}

async fn page_of(console: &Console, visitor: &Visitor, found: Found, forms: Vec<Form>) -> Result<ReviewPage, Failed> {
    let policies = console.gateway().current_policies().await?;
    let Found { review, state, read, replies, is_officer, .. } = found;
    let account = Account::of(&visitor.session.account);
    let is_mine = review.reviewer.as_deref().is_some_and(|by| account.is(by));
    let note = match state {
        _ if !is_officer => "Only a registered reviewing officer can read it here and review it.",
        _ if read.is_none() && state == ReviewState::Drawn => {
            "Nobody has begun. When you read it, the review is yours until you record an outcome or give it back."
        }
        _ if read.is_none() => "Read it first: whatever an officer does in a review rests on their own look.",
        ReviewState::Proposed if is_mine => "Your finding takes effect when another officer has confirmed it.",
        ReviewState::Referred if forms.is_empty() => "You referred it: another officer decides.",
        ReviewState::Taken if !is_mine => "Another officer has this review.",
        ReviewState::Closed => "The review is closed.",
        _ => "",
    };
    let named = |facts: &mut Vec<(&'static str, String)>, name, value: Option<String>| {
        facts.extend(value.filter(|value| !value.is_empty()).map(|value| (name, value)));
    };
    let mut facts = vec![(
        "Made to",
        review.agency.as_ref().map_or_else(|| "Nobody outside".to_owned(), |code| words::agency(&policies, code)),
    )];
    named(&mut facts, "Reviewed by", review.reviewer.clone());
    named(&mut facts, "Found", Some(plain::named(review.finding.as_deref(), plain::finding)));
    named(&mut facts, "Severity", Some(plain::named(review.severity.as_deref(), plain::severity)));
    named(&mut facts, "What is done", Some(plain::named(review.action.as_deref(), plain::action)));
    named(&mut facts, "Done by", review.owner.clone());
    named(&mut facts, "Due", review.due.map(|due| words::day(date_of(due))));
    named(&mut facts, "Suspends", review.agreement.as_ref().map(ToString::to_string));
    named(&mut facts, "Why", review.reason.clone());
    Ok(ReviewPage {
        frame: visitor.frame("One review", &page::REVIEWS),
        index: review.index,
        entry: review.entry.to_string(),
        state: plain::state(state),
        facts,
        read,
        note,
        forms,
        replies,
    })
}
