//! `porth reid open`: the data team collects an answer, checks everything with what it pinned itself,
//! opens it, and countersigns.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;
use zeroize::Zeroizing;

use super::folder::Folder;
use super::request::Asked;
use super::{Gateway, Place, words};
use crate::cli::agency::connection::now;
use crate::cli::agency::read_owners_file;
use crate::cli::operator::keys::files;
use crate::cli::output::{Failure, Output};
use crate::crypto::seal::SealKeyPair;
use crate::crypto::secret::Secret;
use crate::domain::ids::ReidentificationId;
use crate::domain::reidentification::certificate::OpenedReceipt;
use crate::domain::reidentification::refusal::Refusal;
use crate::web::api::reidentifications::{CollectedView, ReidentificationState};

/// Arguments of `porth reid open`.
#[derive(Debug, Args)]
pub(super) struct OpenArgs {
    /// The request
    id: ReidentificationId,
    #[command(flatten)]
    place: Place,
    /// A new file for the identity, which its owner alone can read
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

pub(super) fn run(args: &OpenArgs, output: Output) -> Result<(), Failure> {
    let folder = Folder(&args.place.folder);
    let (key, card) = folder.recipient()?;
    let path = format!("/v1/reidentifications/{}", args.id);
    if folder.has(args.id, "opened") {
        return send_receipt_again(args, &folder, &path, output);
    }
    let pair = read_pair(&folder.0.join("recipient-seal.key"))?;
    let trust = folder.trust()?;
    if args.out.exists() {
        return Err(Failure::failed(format!("{}: is there already", args.out.display())));
    }
    let mut gateway = Gateway::connect(&args.place.connection)?;
    let asked: Asked = folder.read(args.id, "asked")?;
    let body = json!({ "key_id": card.key_id });
    let collected: CollectedView = gateway.post(&format!("{path}/collection"), &body)?;
    let checked = trust.check(&collected.certificate).map_err(|refusal| gateway.report(args.id, refusal))?;
    if checked.certificate.request != asked.request {
        return Err(gateway.report(args.id, Refusal::OtherRequest));
    }
    if now() >= checked.request.expires_at {
        return Err(gateway.report(args.id, Refusal::Expired));
    }
    let opened = checked.open(&trust, &collected.answer, &pair);
    let (identity, envelope) = opened.map_err(|refusal| gateway.report(args.id, refusal))?;
    let text = Zeroizing::new(format!("{}\n", words::identity(&identity)));
    files::write_private(&args.out, text.as_bytes())?;
    let receipt = checked.receipt(envelope, &key, now());
    folder.keep(args.id, "opened", &receipt)?;
    let taken: ReidentificationState = gateway.post(&format!("{path}/receipts"), &receipt)?;
    output.result(
        format_args!(
            "Opened into {}, for the family {}. The countersigned receipt is in the log.",
            args.out.display(),
            asked.family
        ),
        &taken,
    );
    output.note("Keep it no longer than the reason for which it was released, and pass it to nobody else.");
    Ok(())
}

/// What was opened here before is not collected again, but its receipt may not have arrived.
fn send_receipt_again(args: &OpenArgs, folder: &Folder<'_>, path: &str, output: Output) -> Result<(), Failure> {
    let receipt: OpenedReceipt = folder.read(args.id, "opened")?;
    let mut gateway = Gateway::connect(&args.place.connection)?;
    let taken: ReidentificationState = gateway.post(&format!("{path}/receipts"), &receipt)?;
    output.result(
        "This was opened on this machine before, into the file that was named then. Its receipt is in the log.",
        &taken,
    );
    Ok(())
}

fn read_pair(path: &Path) -> Result<SealKeyPair, Failure> {
    let bytes = read_owners_file(path)?;
    let text = std::str::from_utf8(&bytes).ok();
    let line =
        text.and_then(|text| text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#')));
    let secret = line.and_then(|line| Secret::from_hex(line).ok());
    let refused = || Failure::unusable(format!("{} is not the data team's sealing key", path.display()));
    secret.map(SealKeyPair::from_private).ok_or_else(refused)
}
