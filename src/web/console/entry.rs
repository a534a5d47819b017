//! One disclosure: the sentence first, then the record, its proof, and its decision made again.

use askama::Template;
use axum::extract::{Path, State};

use super::Console;
use super::deciding::{self, Deciding};
use super::form::Posted;
use super::frame::{Failed, Frame, Shown};
use super::visitor::Visitor;
use super::{page, words};
use crate::app::log_access::explain::EntryRead;
use crate::app::log_access::replay::{AnswerAgain, Compared, Replayed};
use crate::domain::ids::EventId;
use crate::tlog::entry::Entry;

#[derive(Template)]
#[template(path = "entry.html")]
pub(super) struct EntryPage {
    frame: Frame,
    event: String,
    index: Option<u64>,
    said: String,
    deciding: Deciding,
    sentences: Vec<String>,
    texts: Vec<Text>,
    record: String,
    proof: Option<String>,
    form_token: String,
    /// Where an officer recalls what rests on it.
    recall: Option<String>,
    look: String,
}

/// A text that the entry names.
struct Text {
    kind: &'static str,
    sha256: String,
    kept: &'static str,
}

#[derive(Template)]
#[template(path = "replay.html")]
pub(super) struct ReplayPage {
    frame: Frame,
    event: String,
    at: String,
    missing: Vec<String>,
    parts: Vec<Part>,
    answer: &'static str,
    look: String,
}

/// A decision compared with its entry.
struct Part {
    heading: &'static str,
    is_same: bool,
    differences: Vec<String>,
}

/// Shows an entry.
pub(super) async fn show(
    State(console): State<Console>,
    visitor: Visitor,
    Path(entry): Path<String>,
) -> Result<Shown<EntryPage>, Failed> {
    let frame = || visitor.frame("One disclosure", &page::LOG);
    let event = event_of(&entry).ok_or_else(|| Failed::Unknown(Box::new(frame())))?;
    let read = console.gateway().read_log_entry(&visitor.caller(), &visitor.grounds(), event).await;
    let EntryRead { logged, proved, index, texts, sentences } =
        read.map_err(|error| Failed::of_look(error, frame()))?;
    let policies = console.gateway().current_policies().await?;
    let parsed = Entry::parse(proved.entry.as_bytes()).ok();
    let said = parsed.as_ref().map_or_else(
        || "An entry of a type that this version does not know.".to_owned(),
        |entry| words::sentence(entry, &policies),
    );
    let deciding = parsed.as_ref().map(|entry| deciding::told(entry, &policies)).unwrap_or_default();
    let texts = texts.into_iter().map(|text| Text {
        kind: text.kind,
        sha256: text.sha256,
        kept: match text.is_there {
            Some(true) => "kept here",
            Some(false) => "not here",
            None => "found by the replay",
        },
    });
    Ok(Shown(EntryPage {
        event: event.to_string(),
        index,
        said,
        deciding,
        sentences,
        texts: texts.collect(),
        record: indented(&proved.entry),
        recall: page::NEW_RECALL
            .is_for(visitor.access.persona)
            .then(|| format!("{}?entry={event}", page::NEW_RECALL.path)),
        proof: proved.proof,
        form_token: visitor.session.form_token.clone(),
        look: logged.disclosure.to_string(),
        frame: frame(),
    }))
}

/// Makes an entry's decision again.
pub(super) async fn replay(
    State(console): State<Console>,
    Path(entry): Path<String>,
    posted: Posted,
) -> Result<Shown<ReplayPage>, Failed> {
    let visitor = posted.visitor;
    let frame = || visitor.frame("The decision made again", &page::LOG);
    let event = event_of(&entry).ok_or_else(|| Failed::Unknown(Box::new(frame())))?;
    let replayed = console.gateway().replay_log_entry(&visitor.caller(), &visitor.grounds(), event).await;
    let Replayed { logged, at, missing, then, today, answer } =
        replayed.map_err(|error| Failed::of_look(error, frame()))?;
    let part = |heading, compared: Option<Compared>| {
        compared.map(|compared| Part { heading, is_same: compared.is_same, differences: compared.differences })
    };
    let parts = [part("As at its date", then), part("As it would come out today", today)];
    Ok(Shown(ReplayPage {
        event: event.to_string(),
        at: words::moment(at),
        missing,
        parts: parts.into_iter().flatten().collect(),
        answer: match answer {
            AnswerAgain::Same => "The kept evidence gives the answer that was given.",
            AnswerAgain::Differs => "The kept evidence gives another answer than the one that was given.",
            AnswerAgain::Altered => {
                "The kept evidence is not what the entry commits to: it was altered. Tell your operator."
            }
            AnswerAgain::Unreadable => {
                "The kept evidence cannot be read: it was damaged, or its key is gone. Tell your operator."
            }
            AnswerAgain::Gone => "The evidence of this answer was erased, or the criteria of that day are not kept.",
            AnswerAgain::None => "This entry answers nothing about a person, so there is no evidence to judge again.",
        },
        look: logged.disclosure.to_string(),
        frame: frame(),
    }))
}

fn event_of(text: &str) -> Option<EventId> {
    text.parse().ok()
}

/// The entry with line breaks, to read; the exact text is what the export holds.
fn indented(entry: &str) -> String {
    serde_json::from_str::<serde_json::Value>(entry)
        .and_then(|value| serde_json::to_string_pretty(&value))
        .unwrap_or_else(|_| entry.to_owned())
}
