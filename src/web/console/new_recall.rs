//! A recall is opened: two people were taken for one, or a delivery was wrong. Everybody who received an answer
//! that would have been another one without it is found and told.

use askama::Template;
use axum::extract::State;
use axum::http::Uri;
use axum::response::{IntoResponse, Response};

use super::fields::{Choice, Form};
use super::form::Posted;
use super::frame::{Again, Failed, Frame, Shown, capitalised, see_other};
use super::visitor::Visitor;
use super::{Console, page, plain};
use crate::app::recall::{Named, Raiser, RecallError};
use crate::crypto::random::random_bytes;
use crate::domain::claim::RecordName;
use crate::domain::ids::{EventId, OpaqueRef};
use crate::domain::token::encode_base64url;
use crate::web::api::form;

#[derive(Template)]
#[template(path = "new_recall.html")]
pub(super) struct NewRecallPage {
    frame: Frame,
    /// Where to come back to from a new proof of who somebody is, where one is needed.
    fresh: Option<String>,
    form: Option<Form>,
}

/// Shows the form; an entry of the address is named in it already.
pub(super) async fn ask(State(console): State<Console>, visitor: Visitor, uri: Uri) -> Shown<NewRecallPage> {
    let given = form::parse(uri.query().unwrap_or_default()).unwrap_or_default();
    let entry = given.get("entry").and_then(|entry| entry.parse::<EventId>().ok());
    let key = encode_base64url(&random_bytes::<16>(console.gateway().random()));
    let form = form_of(&visitor).with("key", key);
    let form = match entry {
        Some(entry) => form.with("of", "entry").with("which", entry.to_string()),
        None => form,
    };
    let here = entry.map_or_else(|| page::NEW_RECALL.path.to_owned(), |entry| format!("/recalls/new?entry={entry}"));
    Shown(page_of(&visitor, form, Vec::new(), &here))
}

/// Opens it.
pub(super) async fn open(State(console): State<Console>, posted: Posted) -> Result<Response, Failed> {
    let Posted { visitor, fields } = posted;
    if !visitor.session.is_fresh {
        let said = "You signed in more than five minutes ago. Go back and confirm who you are first.";
        return Err(Failed::Stopped(Box::new(visitor.frame("Open a recall", &page::RECALLS)), said.to_owned()));
    }
    let mut form = form_of(&visitor);
    form.take(&fields);
    let named = named(&mut form);
    let reason = form.chosen::<String>("reason").filter(|reason| plain::RECALL_REASONS.iter().any(|it| it.0 == reason));
    if reason.is_none() {
        form.fault("reason", "Choose: why is it recalled");
    }
    let key = form.optional_text("key").unwrap_or_default();
    if key.is_empty() || key.len() > 64 {
        form.refuse("Open the form anew: this one was not made by the page");
    }
    if let (Some(named), Some(reason), true) = (named, reason, form.faults().is_empty()) {
        let raiser = Raiser::Officer(&visitor.session.account);
        match console.gateway().open_recall(raiser, &named, &reason, &key).await {
            Ok(opened) => return Ok(see_other(&format!("/recalls/{}", opened.id), "opened")),
            Err(RecallError::App(error)) => return Err(error.into()),
            Err(error) => explain(&mut form, &error),
        }
    }
    let faults = form.faults();
    Ok(Again(page_of(&visitor, form, faults, page::NEW_RECALL.path)).into_response())
}

fn page_of(visitor: &Visitor, form: Form, faults: Vec<super::fields::Fault>, here: &str) -> NewRecallPage {
    let is_fresh = visitor.session.is_fresh;
    NewRecallPage {
        frame: visitor.frame("Open a recall", &page::RECALLS).with_faults(faults),
        fresh: (!is_fresh).then(|| here.to_owned()),
        form: is_fresh.then_some(form),
    }
}

fn form_of(visitor: &Visitor) -> Form {
    let hinted = |value: &str, label: &str, hint: &'static str| Choice { hint, ..Choice::of(value, label) };
    let ways = vec![
        hinted(
            "entry",
            "By an entry of the log",
            "A decision about a possible match, a delivery, or an answer in which the recipient’s own records were taken for somebody else’s",
        ),
        hinted("possible-match", "By a possible match", "Its id, as the agency that answered it sees it"),
        hinted("pair", "By a pair", "Its handle, as the data team sees it"),
        hinted("record", "By a record that is of nobody else’s person", "Written agency/feed/reference"),
        hinted("submission", "By a delivery that was wrong", "Its id"),
    ];
    let reasons = plain::RECALL_REASONS.iter().map(|(value, label)| Choice::of(*value, *label)).collect();
    Form::new(visitor, page::NEW_RECALL.path, "open", "", "Open the recall")
        .radios("of", "How do you name what was wrong?", "", ways)
        .text("which", "Which one?", "The id or reference. Never anybody’s name.")
        .radios("reason", "Why is it recalled?", "", reasons)
        .hidden("key", "")
}

fn named(form: &mut Form) -> Option<Named> {
    let of = form.chosen::<String>("of");
    let Some(which) = form.optional_text("which") else {
        form.fault("which", "Enter the id or reference of what was wrong");
        return None;
    };
    let read = match of.as_deref()? {
        "entry" => which.parse().ok().map(Named::Entry),
        "possible-match" => which.parse().ok().map(Named::PossibleMatch),
        "pair" => which.parse().ok().map(Named::Pair),
        "submission" => which.parse().ok().map(Named::Submission),
        "record" => record(&which).map(Named::Record),
        _ => {
            form.fault("of", "Choose: how do you name what was wrong");
            return None;
        }
    };
    if read.is_none() {
        form.fault("which", "This is no id or reference of the kind that you chose");
    }
    read
}

fn record(text: &str) -> Option<RecordName> {
    let mut parts = text.splitn(3, '/');
    Some(RecordName {
        agency: parts.next()?.parse().ok()?,
        feed: parts.next()?.parse().ok()?,
        reference: OpaqueRef::parse(parts.next()?).ok()?,
    })
}

/// Says at its field why nothing is recalled.
fn explain(form: &mut Form, error: &RecallError) {
    let (field, said) = match error {
        RecallError::Unknown => ("which", "There is no such entry, possible match, pair or delivery"),
        RecallError::Entry => ("which", "The entry names no record of its recipient’s own: name the record instead"),
        RecallError::Reason => (
            "reason",
            "A wrong delivery is recalled because its records are wrong, and people because they are different people",
        ),
        other => return form.refuse(capitalised(&other.to_string())),
    };
    form.fault(field, said);
}
