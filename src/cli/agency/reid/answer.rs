//! `porth reid answer`: the source checks the certificate with what it pinned itself, reads its own
//! record and seals what was asked for to the data team.

use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use super::folder::{Approved, Folder};
use super::people::PeopleArgs;
use super::{Gateway, Place};
use crate::cli::agency::connection::{failure, now};
use crate::cli::output::{Failure, Output};
use crate::crypto::random::SystemRandom;
use crate::domain::ids::{FeedCode, OpaqueRef, ReidentificationId};
use crate::domain::reidentification::binding;
use crate::domain::reidentification::certificate::SignedCertificate;
use crate::domain::reidentification::refusal::Refusal;

/// How often the certificate is asked for while witnesses have not cosigned yet.
const MOST_TRIES: u32 = 30;
/// How long between, in seconds.
const PAUSE: Duration = Duration::from_secs(2);

/// Arguments of `porth reid answer`.
#[derive(Debug, Args)]
pub(super) struct AnswerArgs {
    /// The request
    #[arg(requires = "people")]
    id: ReidentificationId,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    people: PeopleArgs,
}

pub(super) fn run(args: &AnswerArgs, output: Output) -> Result<(), Failure> {
    let folder = Folder(&args.place.folder);
    let (key, card) = folder.officer()?;
    let trust = folder.trust()?;
    let mut gateway = Gateway::connect(&args.place.connection)?;
    let approved: Approved = folder.read(args.id, "approved").map_err(|failed| {
        failed.next("only what was approved on this machine is answered from it: `porth reid approve`")
    })?;
    if folder.has(args.id, "answered") {
        return Err(gateway.report(args.id, Refusal::UsedCertificate));
    }
    let signed = certificate(&mut gateway, args.id)?;
    let checked = trust.check(&signed).map_err(|refusal| gateway.report(args.id, refusal))?;
    if checked.request.id != args.id || checked.request_sha256.to_string() != approved.request_sha256 {
        return Err(gateway.report(args.id, Refusal::OtherRequest));
    }
    let malformed = |_| Failure::failed("what was approved here cannot be read");
    let feed: FeedCode = approved.feed.parse().map_err(malformed)?;
    let reference = OpaqueRef::parse(&approved.reference).map_err(malformed)?;
    if checked.request.source != card.agency
        || checked.record != binding::record(&checked.request_sha256, &feed, &reference)
    {
        return Err(gateway.report(args.id, Refusal::RecordMismatch));
    }
    let identity = args.people.find(&feed, &reference, &checked.request.fields)?;
    if identity.is_empty() {
        return Err(Failure::failed("the record holds none of the fields that are asked for")
            .next("`porth reid refuse --reason not-held`"));
    }
    let answer = checked
        .seal(&SystemRandom::new(), &identity, &card.key_id, &key, now())
        .map_err(|refusal| gateway.report(args.id, refusal))?;
    drop(identity);
    let taken: Value = gateway.post(&format!("/v1/reidentifications/{}/answers", args.id), &answer)?;
    folder.keep(args.id, "answered", &json!({ "certificate": answer.certificate }))?;
    output.result("Sealed to the data team, handed over and logged. Nobody else can open it.", &taken);
    Ok(())
}

/// The certificate, as soon as the log's witnesses have cosigned.
fn certificate(gateway: &mut Gateway, id: ReidentificationId) -> Result<SignedCertificate, Failure> {
    let path = format!("/v1/reidentifications/{id}/certificate");
    for _ in 1..MOST_TRIES {
        match gateway.try_post(&path, None, &json!({}))? {
            Err(error) if error.problem().is_some_and(|problem| problem.kind == "not-in-log-yet") => {
                std::thread::sleep(PAUSE);
            }
            other => return other.map_err(|error| failure(&error)),
        }
    }
    gateway.post(&path, &json!({}))
}
