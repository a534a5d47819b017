//! `porth reid answer`: the source checks the certificate with what it pinned itself, reads its own
//! record and seals what was asked for to the data team.

use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use super::folder::{Approved, Folder, Sealed};
use super::people::PeopleArgs;
use super::{Gateway, Place};
use crate::cli::agency::connection::{failure, now};
use crate::cli::output::{Failure, Output};
use crate::client::ClientError;
use crate::crypto::random::SystemRandom;
use crate::domain::ids::{FeedCode, OpaqueRef, ReidentificationId};
use crate::domain::reidentification::binding;
use crate::domain::reidentification::certificate::SignedCertificate;
use crate::domain::reidentification::refusal::Refusal;

/// How often the certificate is asked for while witnesses have not cosigned yet.
const MOST_TRIES: u32 = 30;
/// What the gateway says of an answer whose certificate is no longer the one in force.
const OVER: [Refusal; 3] = [Refusal::OtherCertificate, Refusal::CertificateExpired, Refusal::NotDue];
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
    let path = format!("/v1/reidentifications/{}/answers", args.id);
    // Sealed once: what may not have arrived is sent again, byte for byte.
    if folder.has(args.id, "answered") {
        let before: Sealed = folder.read(args.id, "answered")?;
        match gateway.try_post::<Value>(&path, None, &before.answer)? {
            Ok(taken) => {
                output.result("Handed over and logged: the envelope that was sealed here before, sent again.", &taken);
                return Ok(());
            }
            // Whatever the gateway says: while its certificate is good, there is no other envelope.
            Err(error) if has_code(&error, &OVER) && now() >= before.not_after => {
                folder.set_aside(args.id, "answered", &format!("lapsed-{}", before.answer.certificate))?;
            }
            Err(error) => return Err(failure(&error)),
        }
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
    // Looked at once more: a colleague may have taken it back meanwhile, and the record may have changed.
    let approved: Approved = folder.read(args.id, "approved")?;
    if !approved.is_of(&identity) {
        return Err(Failure::failed("your own record is not what was looked at and approved any more")
            .next("`porth reid withdraw`, then look at it and approve it again"));
    }
    let answer = checked
        .seal(&SystemRandom::new(), &identity, &card.key_id, &key, now())
        .map_err(|refusal| gateway.report(args.id, refusal))?;
    drop(identity);
    let sealed = Sealed { not_after: checked.certificate.not_after, answer };
    folder.keep(args.id, "answered", &sealed)?;
    let answer = sealed.answer;
    let taken: Value = gateway.post(&path, &answer)?;
    output.result("Sealed to the data team, handed over and logged. Nobody else can open it.", &taken);
    Ok(())
}

fn has_code(error: &ClientError, refusals: &[Refusal]) -> bool {
    let code = error.problem().and_then(|problem| problem.code.as_deref());
    refusals.iter().any(|refusal| code == Some(refusal.code()))
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
