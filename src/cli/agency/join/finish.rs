//! `porth join finish`: the operator's reply is taken in, and the linkage keys that the custodian sealed
//! are fetched, opened, checked and kept. It can be run again until the keys are there.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::Args;
use serde::Deserialize;

use super::fingerprint::Fingerprint;
use super::reply::JoinReply;
use super::request::JoinRequest;
use super::{ASSERTION_KEY, CERTIFICATE, CLIENT_KEY, CONNECTION, FOLDER, KEYS, REPLY, REQUEST, ROOT, SEALING_KEY};
use crate::cli::agency::check_tokens;
use crate::cli::agency::connection::{Connection, Session, failure};
use crate::cli::agency::key_file::{AgencyKeyFile, LinkageShare, hex};
use crate::cli::agency::tokenise::read_match_keys;
use crate::cli::operator::keys::files;
use crate::cli::output::{Failure, Output};
use crate::domain::ids::TokenType;

/// Arguments of `porth join finish`.
#[derive(Debug, Args)]
pub(crate) struct FinishArgs {
    /// The agency's folder
    #[arg(long, value_name = "DIR", default_value = FOLDER)]
    folder: PathBuf,
    /// The operator's reply
    #[arg(long, value_name = "FILE")]
    reply: PathBuf,
    /// The fingerprint of the keys, as the custodian reads it out on the telephone; without it only the
    /// reply is taken in
    #[arg(long, value_name = "DIGITS")]
    fingerprint: Option<Fingerprint>,
}

#[derive(Deserialize)]
struct Waiting {
    grants: Vec<Grant>,
}

#[derive(Deserialize)]
struct Grant {
    id: String,
    sealing_key: String,
    sealed: String,
}

/// Runs `porth join finish`.
pub(super) fn run(args: &FinishArgs, output: Output) -> Result<(), Failure> {
    let folder = args.folder.as_path();
    let request: JoinRequest = files::read_public_json(&folder.join(REQUEST), "this agency's joining request")?;
    let reply: JoinReply = files::read_public_json(&args.reply, "the operator's reply")?;
    let is_ours = reply.is_readable()
        && reply.agency == request.agency
        && reply.programme == request.programme
        && reply.client == request.client;
    if !is_ours {
        return Err(Failure::failed(format!("{} is not the reply to this folder's request", args.reply.display()))
            .next("name the folder that the request was made in, or ask the operator for the right reply"));
    }
    let mut keys = AgencyKeyFile::read(&folder.join(KEYS)).map_err(Failure::unusable)?;
    let sealing = super::read_sealing_key(&folder.join(SEALING_KEY))?;
    keep(folder, &reply)?;
    let Some(fingerprint) = args.fingerprint else {
        let value = serde_json::json!({
            "folder": folder, "types": 0, "reply_fingerprint": reply.fingerprint().to_string(),
        });
        output.result(
            format_args!(
                "Took the reply in; its fingerprint is {}.\nRun this again with --fingerprint once the key custodian has \
                 read it out.",
                reply.fingerprint()
            ),
            &value,
        );
        return Ok(());
    };

    let mut session = Connection::read(&folder.join(CONNECTION))?.open()?;
    let key_id = sealing.public().key_id();
    let taken = crate::cli::block_on(async {
        let headers = session.headers(None).await?;
        let answer = session.client().get("/v1/relay/grants", &headers).await.map_err(|error| failure(&error))?;
        let waiting: Waiting = answer.json().map_err(|error| failure(&error))?;
        let mut taken: Vec<(u32, TokenType)> = Vec::new();
        for grant in waiting.grants.iter().filter(|grant| grant.sealing_key == key_id) {
            let sealed = URL_SAFE_NO_PAD.decode(&grant.sealed).map_err(|_| not_ours())?;
            let share = LinkageShare::from_sealed(&sealing, keys.agency(), &sealed).map_err(|_| not_ours())?;
            check(&share, &reply, fingerprint)?;
            taken.extend(share.key_checks().into_iter().map(|(epoch, token_type, _)| (epoch, token_type)));
            keys.add(share).map_err(Failure::unusable)?;
            // Kept first: what was acknowledged cannot be fetched again.
            keys.replace(&folder.join(KEYS)).map_err(Failure::unusable)?;
            acknowledge(&mut session, &grant.id).await?;
        }
        Ok(taken)
    })?;
    if taken.is_empty() {
        return Err(Failure::failed("the gateway holds no keys for this agency yet")
            .next("ask the key custodian to run `porth keys grant` with your request, then run this again"));
    }
    let checked = match read_match_keys(None)? {
        match_keys if hex(match_keys.sha256()) == reply.match_keys => {
            crate::cli::block_on(check_tokens::check(&mut session, &keys, &match_keys))?
        }
        _ => Vec::new(),
    };
    if let Some(differs) = checked.iter().find(|view| check_tokens::differs(view)) {
        return Err(Failure::faulty(format!("join.tokens: epoch {}: this machine's test tokens are not the registered ones", differs.epoch))
            .next("the keys were kept; run `porth check-tokens`, and ask the custodian which program and match keys are current"));
    }
    let mut epochs: Vec<u32> = taken.iter().map(|(epoch, _)| *epoch).collect();
    epochs.dedup();
    let value = serde_json::json!({
        "folder": folder, "epochs": epochs, "types": taken.len(), "reply_fingerprint": reply.fingerprint().to_string(),
    });
    output.result(
        format_args!(
            "{} has joined. {} now holds the keys of {} token type(s).\nThe reply's fingerprint: {}",
            reply.agency,
            folder.join(KEYS).display(),
            taken.len(),
            reply.fingerprint()
        ),
        &value,
    );
    if checked.is_empty() {
        output.note("Run `porth check-tokens` with the programme's match-keys file before the first delivery.");
    }
    output.note(format_args!("`porth doctor agency --folder {}` checks everything from here.", folder.display()));
    Ok(())
}

/// Writes what the reply brings; what lies there from an earlier run is replaced by the same.
fn keep(folder: &Path, reply: &JoinReply) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(reply).map_err(|_| Failure::failed("the reply cannot be written"))?;
    let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
    let connection = format!(
        "gateway = {}\nissuer = {}\nroot = \"{ROOT}\"\ncertificate = \"{CERTIFICATE}\"\nprivate_key = \"{CLIENT_KEY}\"\n\
         client_id = {}\nassertion_key = \"{ASSERTION_KEY}\"\n",
        quoted(&reply.gateway),
        quoted(&reply.issuer),
        quoted(&reply.client),
    );
    for (name, text) in [
        (CERTIFICATE, reply.certificate.as_str()),
        (ROOT, reply.root.as_str()),
        (CONNECTION, &connection),
        (REPLY, &text),
    ] {
        files::replace_public(&folder.join(name), text.as_bytes())?;
    }
    Ok(())
}

/// What was opened must be what the custodian sent: an operator who sealed keys of its own making could
/// otherwise read every token that the agency makes with them.
fn check(share: &LinkageShare, reply: &JoinReply, wanted: Fingerprint) -> Result<(), Failure> {
    let checks = share.key_checks();
    if Fingerprint::of(&share.fingerprint()) != wanted {
        return Err(Failure::faulty(
            "join.fingerprint: these are not the keys whose fingerprint the custodian read out",
        )
        .next("nothing was kept; read the fingerprint again with the custodian, then report it as an incident"));
    }
    if let Some((_, unknown, _)) = checks.iter().find(|(_, token_type, _)| !reply.token_types.contains(token_type)) {
        return Err(Failure::faulty(format!("join.token_type: the agreements do not give this agency {unknown}"))
            .next("nothing was kept; tell the custodian"));
    }
    let differs = |(epoch, token_type, check): &&(u32, TokenType, String)| {
        reply.key_checks.get(epoch).and_then(|types| types.get(token_type)).is_some_and(|known| known != check)
    };
    if let Some((epoch, token_type, _)) = checks.iter().find(differs) {
        return Err(Failure::faulty(format!(
            "join.key_check: the key of {token_type} in epoch {epoch} is not the one registered at the gateway"
        ))
        .next("nothing was kept; ask the custodian which linkage key is current"));
    }
    Ok(())
}

async fn acknowledge(session: &mut Session, id: &str) -> Result<(), Failure> {
    let headers = session.headers(None).await?;
    let path = format!("/v1/relay/grants/{id}/acknowledgement");
    let done = session.client().post_json(&path, &headers, &serde_json::json!({})).await;
    done.map(drop).map_err(|error| failure(&error))
}

fn not_ours() -> Failure {
    Failure::faulty("join.sealed: what waits at the gateway does not open with this agency's sealing key")
        .next("nothing was kept; ask the custodian to send it again, and report it if it happens twice")
}
