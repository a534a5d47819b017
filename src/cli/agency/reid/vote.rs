//! `porth reid approve`, `refuse` and `withdraw`: an officer signs with an own key. At the source the
//! whole request stands beside the source's own record, and both are signed.

use clap::Args;
use serde_json::Value;
use zeroize::Zeroizing;

use super::folder::{Approved, Folder};
use super::people::PeopleArgs;
use super::{Gateway, Place, words};
use crate::cli::agency::connection::now;
use crate::cli::output::{Failure, Output};
use crate::crypto::random::{SystemRandom, random_bytes};
use crate::crypto::sign::SigningKey;
use crate::domain::family::RecordName;
use crate::domain::ids::{ReasonCode, ReidentificationId};
use crate::domain::reidentification::binding::{self, Hash32};
use crate::domain::reidentification::refusal::Refusal;
use crate::domain::reidentification::request::CanonicalRequest;
use crate::domain::reidentification::vote::{Choice, Vote};
use crate::domain::token::encode_base64url;
use crate::store::ReidKey;
use crate::web::api::reidentifications::ReidentificationView;

/// Arguments of `porth reid approve`.
#[derive(Debug, Args)]
pub(super) struct ApproveArgs {
    /// The request
    id: ReidentificationId,
    #[command(flatten)]
    place: Place,
    /// At the source: its own file of people and what goes with it
    #[command(flatten)]
    people: Option<PeopleArgs>,
    /// Sign what is shown; without it, it is only shown
    #[arg(long)]
    sign: bool,
}

/// Arguments of `porth reid refuse`.
#[derive(Debug, Args)]
pub(super) struct RefuseArgs {
    /// The request
    id: ReidentificationId,
    #[command(flatten)]
    place: Place,
    /// Why, as a code for the log, such as no-ground or not-held
    #[arg(long)]
    reason: ReasonCode,
}

/// Arguments of `porth reid withdraw`.
#[derive(Debug, Args)]
pub(super) struct WithdrawArgs {
    /// The request
    id: ReidentificationId,
    #[command(flatten)]
    place: Place,
    /// Take the request itself back, as the data team that made it
    #[arg(long)]
    request: bool,
}

/// A request as the gateway showed it, checked as far as that can be done here.
struct Shown {
    request: CanonicalRequest,
    hash: Hash32,
    record: Option<RecordName>,
}

pub(super) fn approve(args: &ApproveArgs, output: Output) -> Result<(), Failure> {
    let folder = Folder(&args.place.folder);
    let (key, card) = folder.officer()?;
    let mut gateway = Gateway::connect(&args.place.connection)?;
    let shown = show(&mut gateway, args.id)?;
    let trust = folder.trust()?;
    let recipient = &shown.request.recipient;
    let is_pinned = trust
        .recipients
        .iter()
        .any(|pinned| pinned.agency == shown.request.requester && pinned.seal_key.to_text() == recipient.seal_key);
    if !is_pinned {
        return Err(gateway.report(args.id, Refusal::UnknownRecipient));
    }
    let is_source = shown.request.source == card.agency;
    let mut text = words::request(&shown.request);
    let before: Option<Approved> =
        if folder.has(args.id, "shown") { Some(folder.read(args.id, "shown")?) } else { None };
    let salt = before.as_ref().map(|before| before.salt.clone());
    let salt = salt.unwrap_or_else(|| encode_base64url(&random_bytes::<32>(&SystemRandom::new())));
    let mut identity_sha256 = String::new();
    let record = match (&shown.record, &args.people) {
        (Some(record), Some(people)) if is_source => {
            let found = people.find(&record.feed, &record.reference, &shown.request.fields)?;
            let own = Zeroizing::new(words::identity(&found));
            text.push_str("\n\nYour own record\n");
            text.push_str(&own);
            identity_sha256 = Approved::hash(&salt, &found);
            Some(record)
        }
        (Some(_), None) if is_source => {
            return Err(Failure::failed("this agency is asked about a record of its own: look at it before you sign")
                .next("give --people, --mapping, --columns and --keys"));
        }
        (None, _) if is_source => return Err(gateway.report(args.id, Refusal::RecordMismatch)),
        _ => None,
    };
    let text = Zeroizing::new(text);
    let seen = Approved {
        request_sha256: shown.hash.to_string(),
        feed: record.map(|record| record.feed.to_string()).unwrap_or_default(),
        reference: record.map(|record| record.reference.as_str().to_owned()).unwrap_or_default(),
        salt,
        identity_sha256,
    };
    // What is signed is what was looked at here before: a gateway could show one request and have another signed,
    // and the record itself may say something else by now.
    match before {
        Some(before) if before == seen => {}
        Some(before) if before.request_sha256 != seen.request_sha256 => {
            return Err(gateway.report(args.id, Refusal::RequestAltered));
        }
        Some(before) if (&before.feed, &before.reference) != (&seen.feed, &seen.reference) => {
            return Err(gateway.report(args.id, Refusal::RecordMismatch));
        }
        Some(_) if args.sign => {
            return Err(Failure::failed("your own record has changed since it was looked at here")
                .next("the same without --sign shows what it says now"));
        }
        Some(_) => {
            folder.set_aside(args.id, "shown", "shown-before")?;
            folder.keep(args.id, "shown", &seen)?;
        }
        None if args.sign => {
            return Err(Failure::failed("this request was not looked at on this machine yet")
                .next("the same without --sign shows it"));
        }
        None => folder.keep(args.id, "shown", &seen)?,
    }
    if !args.sign {
        output.line(&*text);
        output.note("Nothing was signed. If it is lawful, necessary and about this record: the same with --sign.");
        return Ok(());
    }
    let binding = record.map(|record| binding::record(&shown.hash, &record.feed, &record.reference));
    if record.is_some() && !folder.has(args.id, "approved") {
        folder.keep(args.id, "approved", &seen)?;
    }
    let vote = signed(Choice::Approve, &shown.hash, None, binding, &key, &card)?;
    let taken: Value = gateway.post(&format!("/v1/reidentifications/{}/approvals", args.id), &vote)?;
    let state = taken["state"].as_str().unwrap_or_default();
    output.result(format_args!("Approved and logged; the request is now {state}."), &taken);
    Ok(())
}

pub(super) fn refuse(args: &RefuseArgs, output: Output) -> Result<(), Failure> {
    let folder = Folder(&args.place.folder);
    let (key, card) = folder.officer()?;
    let mut gateway = Gateway::connect(&args.place.connection)?;
    end_here(&folder, args.id)?;
    let shown = show(&mut gateway, args.id)?;
    let vote = signed(Choice::Refuse, &shown.hash, Some(args.reason.clone()), None, &key, &card)?;
    let taken: Value = gateway.post(&format!("/v1/reidentifications/{}/refusals", args.id), &vote)?;
    output.result("Refused and logged; nothing will be released.", &taken);
    Ok(())
}

pub(super) fn withdraw(args: &WithdrawArgs, output: Output) -> Result<(), Failure> {
    let mut gateway = Gateway::connect(&args.place.connection)?;
    if args.request {
        let path = format!("/v1/reidentifications/{}/withdrawal", args.id);
        let taken: Value = gateway.post(&path, &serde_json::json!({}))?;
        output.result("The request is taken back, and in the log.", &taken);
        return Ok(());
    }
    let folder = Folder(&args.place.folder);
    let (key, card) = folder.officer()?;
    end_here(&folder, args.id)?;
    let shown = show(&mut gateway, args.id)?;
    let vote = signed(Choice::Withdraw, &shown.hash, None, None, &key, &card)?;
    let taken: Value = gateway.post(&format!("/v1/reidentifications/{}/approvals", args.id), &vote)?;
    output.result("The approval is taken back, and in the log.", &taken);
    Ok(())
}

/// What was approved on this machine is not answered from it any more, whether or not the gateway hears of
/// the change: from here on a certificate with the old approval meets no note.
fn end_here(folder: &Folder<'_>, id: ReidentificationId) -> Result<(), Failure> {
    if !folder.has(id, "approved") {
        return Ok(());
    }
    folder.set_aside(id, "approved", "ended")
}

/// Fetches a request; what is signed is hashed here, from the text that is shown.
fn show(gateway: &mut Gateway, id: ReidentificationId) -> Result<Shown, Failure> {
    let view: ReidentificationView = gateway.get(&format!("/v1/reidentifications/{id}"))?;
    let text = view.request.unwrap_or_default();
    let Ok(request) = CanonicalRequest::parse(&text) else { return Err(gateway.report(id, Refusal::RequestAltered)) };
    let hash = request.hash();
    if request.id != id || hash.to_string() != view.request_sha256 {
        return Err(gateway.report(id, Refusal::RequestAltered));
    }
    if request.expires_at <= now() {
        return Err(gateway.report(id, Refusal::Expired));
    }
    Ok(Shown { request, hash, record: view.record })
}

fn signed(
    choice: Choice,
    request: &Hash32,
    reason: Option<ReasonCode>,
    record: Option<Hash32>,
    key: &SigningKey,
    card: &ReidKey,
) -> Result<Vote, Failure> {
    let person = card.person.clone().ok_or_else(|| Failure::unusable("officer.json names no person"))?;
    let (agency, key_id) = (card.agency.clone(), card.key_id.clone());
    let mut vote = Vote { agency, at: now(), choice, key_id, person, reason, record, signature: String::new() };
    vote.signature = encode_base64url(&key.sign(&vote.signed_bytes(request)));
    Ok(vote)
}
