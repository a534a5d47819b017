//! The log is verified: where it stands, who cosigned it, whether an entry or a receipt is in it, and what to
//! run elsewhere when nobody here is trusted.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};

use super::fields::Form;
use super::form::Posted;
use super::frame::{Again, Failed, Frame, Shown};
use super::visitor::Visitor;
use super::{Console, page, words};
use crate::app::error::AppError;
use crate::app::log_access::LogAccessError;
use crate::app::log_access::explain::EntryRead;
use crate::app::log_state::{LogState, Signed};
use crate::domain::ids::EventId;
use crate::tlog::entry::Entry;
use crate::tlog::merkle::leaf_hash;
use crate::tlog::note::NoteVerifier;
use crate::tlog::proof::ProofFile;
use crate::tlog::receipt::{Receipt, ReceiptError};

#[derive(Template)]
#[template(path = "verify.html")]
pub(super) struct VerifyPage {
    frame: Frame,
    origin: String,
    facts: Vec<(&'static str, String)>,
    note: Option<String>,
    said: String,
    is_unwatched: bool,
    cosigners: Vec<(String, String)>,
    cosigned: Option<String>,
    keys: String,
    has_log_keys: bool,
    checked: Option<Checked>,
    form: Form,
}

/// What a check came to.
struct Checked {
    is_sound: bool,
    heading: &'static str,
    said: String,
    facts: Vec<(&'static str, String)>,
    proof: Option<String>,
    look: Option<String>,
}

/// What is looked for: an entry by its id, or by the receipt that promised it.
enum Wanted {
    Entry(EventId),
    Receipt(Receipt),
}

impl Wanted {
    fn event(&self) -> EventId {
        match self {
            Self::Entry(event) => *event,
            Self::Receipt(receipt) => receipt.event,
        }
    }
}

/// Shows where the log stands.
pub(super) async fn show(State(console): State<Console>, visitor: Visitor) -> Result<Shown<VerifyPage>, Failed> {
    let form = form_of(&visitor);
    Ok(Shown(page_of(&console, &visitor, form, None).await?))
}

/// Checks an entry or a receipt. Reading the entry is a look at the log, decided and logged.
pub(super) async fn check(State(console): State<Console>, posted: Posted) -> Result<Response, Failed> {
    let Posted { visitor, fields } = posted;
    let mut form = form_of(&visitor);
    form.take(&fields);
    let Some(wanted) = wanted(&console, &mut form) else {
        let faults = form.faults();
        let mut shown = page_of(&console, &visitor, form, None).await?;
        shown.frame = shown.frame.with_faults(faults);
        return Ok(Again(shown).into_response());
    };
    let read = console.gateway().read_log_entry(&visitor.caller(), &visitor.grounds(), wanted.event()).await;
    let checked = match read {
        Ok(read) => checked(&console, &wanted, &read).await?,
        Err(LogAccessError::Unknown) => missing(&wanted),
        Err(error) => return Err(Failed::of_look(error, visitor.frame("Verify the log", &page::VERIFY))),
    };
    Ok(Shown(page_of(&console, &visitor, form, Some(checked)).await?).into_response())
}

fn form_of(visitor: &Visitor) -> Form {
    Form::new(visitor, page::VERIFY.path, "check", "Is an entry in the log?", "Check it").long(
        "which",
        "The id of an entry, or a whole receipt",
        "An id is on every page of a disclosure. A receipt is what the recipient of an answer kept: paste all of its lines.",
    )
}

/// Reads what was typed; a receipt counts only with the gateway's own signature.
fn wanted(console: &Console, form: &mut Form) -> Option<Wanted> {
    let Some(typed) = form.optional_text("which") else {
        form.fault("which", "Enter the id of an entry, or paste a receipt");
        return None;
    };
    if let Ok(event) = typed.parse() {
        return Some(Wanted::Entry(event));
    }
    // Browsers end lines in their own way, and the form drops the last line's end.
    let note = format!("{}\n", typed.replace("\r\n", "\n"));
    let verifiers = console.trust().receipt_verifiers();
    let verifiers: Vec<&dyn NoteVerifier> = verifiers.iter().map(|key| key as &dyn NoteVerifier).collect();
    match Receipt::open(note.as_bytes(), &console.gateway().names().log, &verifiers) {
        Ok(receipt) => Some(Wanted::Receipt(receipt)),
        Err(error) => {
            let said = match error {
                ReceiptError::OtherOrigin => "This is a receipt of another log",
                ReceiptError::Note(_) if typed.starts_with("porth-receipt/") => {
                    "None of this gateway’s keys signed this receipt as it is here: was all of it pasted, and nothing changed?"
                }
                _ => "This is neither the id of an entry nor a whole receipt",
            };
            form.fault("which", said);
            None
        }
    }
}

async fn checked(console: &Console, wanted: &Wanted, read: &EntryRead) -> Result<Checked, Failed> {
    let leaf = leaf_hash(read.proved.entry.as_bytes());
    let mut facts = vec![("Entry", read.proved.event.to_string()), ("Its hash", leaf.to_string())];
    facts.extend(read.index.map(|index| ("Its place in the log", index.to_string())));
    let parsed = read.proved.proof.as_deref().and_then(ProofFile::parse);
    if let Some(proof) = &parsed {
        let size = crate::app::held_checkpoint::parse_checkpoint(proof.checkpoint.as_bytes());
        facts.extend(size.map(|checkpoint| ("Under the checkpoint of", format!("{} entries", checkpoint.size))));
        facts.push(("Hashes from the entry to the checkpoint", proof.hashes.len().to_string()));
    }
    let policies = console.gateway().current_policies().await?;
    if let Ok(entry) = Entry::parse(read.proved.entry.as_bytes()) {
        facts.push(("What it says", words::sentence(&entry, &policies)));
    }
    let (is_sound, heading, said) = match (wanted, &parsed) {
        (Wanted::Receipt(receipt), _) if receipt.leaf != leaf => (
            false,
            "The log holds another entry than the receipt promises",
            "The gateway signed this receipt for an entry with another hash. Keep the receipt and an export of the log: together they are evidence.",
        ),
        (_, None) => (
            true,
            "The entry has no proof yet",
            "It is committed, and no signed checkpoint covers it yet. That takes a few seconds, unless the sequencer stands still: check again.",
        ),
        (Wanted::Receipt(_), Some(_)) => (
            true,
            "What the receipt promises is in the log",
            "The gateway’s key signed the receipt, its hash is the entry’s, and the entry is under the newest signed checkpoint.",
        ),
        (Wanted::Entry(_), Some(_)) => (
            true,
            "The entry is in the log",
            "Its hash leads to the root of the newest signed checkpoint by the proof below.",
        ),
    };
    Ok(Checked {
        is_sound,
        heading,
        said: said.to_owned(),
        facts,
        proof: read.proved.proof.clone(),
        look: Some(read.logged.disclosure.to_string()),
    })
}

fn missing(wanted: &Wanted) -> Checked {
    let (heading, said) = match wanted {
        Wanted::Entry(_) => ("The log has no such entry", "There is no entry of this id. Was all of it copied?"),
        Wanted::Receipt(_) => (
            "The log lacks what the receipt promises",
            "The gateway’s key signed this receipt, and the log has no such entry. Keep the receipt and an export of the log: together they prove that an entry was withheld. Tell the Data Protection Officer.",
        ),
    };
    let facts = vec![("Looked for", wanted.event().to_string())];
    Checked { is_sound: false, heading, said: said.to_owned(), facts, proof: None, look: None }
}

async fn page_of(
    console: &Console,
    visitor: &Visitor,
    form: Form,
    checked: Option<Checked>,
) -> Result<VerifyPage, Failed> {
    let state = console.gateway().log_state().await?;
    let keys = console.trust().text().ok_or(AppError::Internal("the trust file cannot be written"))?;
    let (said, is_unwatched) = watched(&state);
    let cosigners = state.cosigned.as_ref().map_or_else(Vec::new, |cosigned| {
        cosigned.cosigners.iter().map(|(name, at)| (name.clone(), words::moment(*at))).collect()
    });
    Ok(VerifyPage {
        frame: visitor.frame("Verify the log", &page::VERIFY),
        origin: console.gateway().names().log.clone(),
        facts: facts(&state),
        note: state.newest.as_ref().map(|newest| newest.note.clone()),
        said,
        is_unwatched,
        cosigners,
        cosigned: state.cosigned.map(|cosigned| cosigned.note),
        has_log_keys: !console.trust().log_keys.is_empty(),
        keys,
        checked,
        form,
    })
}

fn facts(state: &LogState) -> Vec<(&'static str, String)> {
    let Some(Signed { size, root, at, .. }) = &state.newest else { return Vec::new() };
    let mut facts = vec![("Entries under it", size.to_string())];
    if let Some(at) = at {
        facts.push((
            "Signed",
            format!("{}, {} ago", words::moment(*at), since(state.now.as_seconds() - at.as_seconds())),
        ));
    }
    facts.push(("Root hash", root.clone()));
    let waiting = state.waiting_since.map_or_else(
        || "None: every entry has its place".to_owned(),
        |at| format!("Since {}, for {}", words::moment(at), since(state.now.as_seconds() - at.as_seconds())),
    );
    facts.push(("Entries that wait for a place", waiting));
    facts.extend(state.cosigned.as_ref().map(|it| ("Entries under the newest cosigned one", it.size.to_string())));
    facts
}

/// What the witnesses come to, and whether nobody watches.
fn watched(state: &LogState) -> (String, bool) {
    let Some(witnesses) = state.witnesses else {
        let said = "This gateway has no witnesses: nobody outside would notice if its log were taken back or rewritten. Keep checkpoints of your own, as below.";
        return (said.to_owned(), true);
    };
    let numbers = format!("{} of {} witnesses have to have seen the log", witnesses.quorum, witnesses.known);
    match witnesses.age {
        Some(age) if age <= witnesses.stop_after => {
            let age = i64::try_from(age.as_secs()).unwrap_or(i64::MAX);
            (format!("{numbers}. So many had seen all of it {} ago.", since(age)), false)
        }
        Some(age) => {
            let age = i64::try_from(age.as_secs()).unwrap_or(i64::MAX);
            (
                format!(
                    "{numbers}. So many last saw all of it {} ago, which is too long: nothing is released until they do.",
                    since(age)
                ),
                true,
            )
        }
        None => (format!("{numbers}, and they never have."), true),
    }
}

/// A length of time in its largest unit.
fn since(seconds: i64) -> String {
    let many = |count: i64, one: &str| if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") };
    match seconds.max(0) {
        seconds @ 0..120 => many(seconds, "second"),
        seconds @ 120..7200 => many(seconds / 60, "minute"),
        seconds @ 7200..172_800 => many(seconds / 3600, "hour"),
        seconds => many(seconds / 86_400, "day"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_told_in_their_largest_unit() {
        let told: Vec<String> = [-5, 1, 119, 120, 7199, 7200, 172_800].into_iter().map(since).collect();
        assert_eq!(told, ["0 seconds", "1 second", "119 seconds", "2 minutes", "119 minutes", "2 hours", "2 days"]);
    }
}
