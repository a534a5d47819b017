//! `porth witness`: a partner agency watches the log from outside.
//!
//! It keeps the newest checkpoint that it saw, checks by proof that the next one goes on from there,
//! cosigns it and hands the cosignature to the gateway. What does not go on is kept as evidence.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::log::trust::{TrustFile, verifier};
use crate::app::held_checkpoint;
use crate::app::signers::KeyVerifier;
use crate::cli::agency::connection::{Connection, Session, failure, now};
use crate::cli::operator::keys::{files, read_signing_key};
use crate::cli::output::{Failure, Output};
use crate::crypto::random::SystemRandom;
use crate::crypto::sign::SigningKey;
use crate::tlog::checkpoint::Checkpoint;
use crate::tlog::cosignature::{Cosigner, Ed25519Signer};
use crate::tlog::note::{NoteVerifier, SigningFailed, TYPE_COSIGNATURE, is_key_name, verifier_key};
use crate::tlog::tile::{Tiles, tiles_for};
use crate::tlog::witness::{WitnessFault, compare};

/// Arguments of `porth witness`.
#[derive(Debug, Args)]
pub struct WitnessArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make this witness's key, and print what gateway and auditors have to know of it
    Key(KeyArgs),
    /// Look at the log, cosign it if it went on from what was seen, hand the cosignature over
    Run(RunArgs),
}

#[derive(Debug, Args)]
struct KeyArgs {
    /// The witness's name, such as witness.police.example
    #[arg(long)]
    name: String,
    /// Where the private key is written
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
}

#[derive(Debug, Args)]
struct RunArgs {
    /// The connection file: where the gateway is and how to prove who we are
    #[arg(long, short)]
    connection: PathBuf,
    /// The log's name and keys, as `porth log trust` prints them
    #[arg(long, value_name = "FILE")]
    trust: PathBuf,
    /// The witness's name
    #[arg(long)]
    name: String,
    /// The witness's private key
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Where the newest checkpoint that was seen is kept: never on the gateway's machine
    #[arg(long, value_name = "FILE")]
    state: PathBuf,
    /// There is no state yet: believe the first checkpoint that is seen. Once, and never in a service file
    #[arg(long)]
    first: bool,
    /// Look again every so many seconds; without it once
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(5..))]
    every: Option<u64>,
}

#[derive(Serialize)]
struct Made<'a> {
    name: &'a str,
    verifier_key: String,
}

#[derive(Serialize)]
struct Cosigned {
    size: u64,
    root: String,
    seen_before: Option<u64>,
}

/// Runs `porth witness`.
///
/// # Errors
///
/// [`Failure`]; exit code 4 when the log was taken back, forked or rewritten.
pub fn run(args: WitnessArgs, output: &Output) -> Result<(), Failure> {
    match args.command {
        Command::Key(args) => make_key(&args, output),
        Command::Run(args) => watch(&args, output),
    }
}

fn make_key(args: &KeyArgs, output: &Output) -> Result<(), Failure> {
    if !is_key_name(&args.name) {
        return Err(Failure::unusable("a witness's name has no spaces and no '+'"));
    }
    let key = SigningKey::generate(&SystemRandom::new());
    files::write_private(&args.key, files::private_key_pem(&key.to_pkcs8()).as_bytes())?;
    let text = verifier_key(&args.name, TYPE_COSIGNATURE, key.verifying_key().as_bytes());
    output.result(&text, &Made { name: &args.name, verifier_key: text.clone() });
    output.note("Give this line to the gateway's operator (`witnesses.keys`) and to auditors (`witnesses`).");
    Ok(())
}

fn watch(args: &RunArgs, output: &Output) -> Result<(), Failure> {
    let trust = TrustFile::read(&args.trust)?;
    let log_keys = trust.log_keys.iter().map(|key| verifier(key)).collect::<Result<Vec<_>, _>>()?;
    if log_keys.is_empty() {
        return Err(Failure::failed("the trust file has no log key: no checkpoint can be believed"));
    }
    let key = Key::new(read_signing_key(&args.key)?);
    first_or_not(args, args.first)?;
    let mut session = Connection::read(&args.connection)?.open()?;
    crate::cli::block_on(async move {
        let mut is_first = args.first;
        loop {
            first_or_not(args, is_first)?;
            let looked = look(args, &trust.origin, &log_keys, &key, &mut session).await;
            is_first &= looked.is_err() && !args.state.exists();
            match (looked, args.every) {
                (Ok(cosigned), every) => {
                    let text = format!("Cosigned {} entries, root {}.", cosigned.size, cosigned.root);
                    output.result(text, &cosigned);
                    let Some(every) = every else { return Ok(()) };
                    tokio::time::sleep(Duration::from_secs(every)).await;
                }
                // A gateway that cannot be reached may be back next time; a log that was altered will not.
                (Err(Trouble::Passing(failure)), Some(every)) => {
                    output.note(format_args!("porth: {}", failure.message()));
                    tokio::time::sleep(Duration::from_secs(every)).await;
                }
                (Err(Trouble::Passing(failure) | Trouble::Lasting(failure)), _) => return Err(failure),
            }
        }
    })
}

/// A witness that forgot what it saw would cosign any history. That there is nothing to remember yet has
/// to be said, once; and a service that always said it would believe anything after a loss.
fn first_or_not(args: &RunArgs, is_first: bool) -> Result<(), Failure> {
    match (args.state.exists(), is_first) {
        (true, false) | (false, true) => Ok(()),
        (false, false) => Err(Failure::unusable(format!("there is no state file {}", args.state.display()))
            .next("if this witness never saw the log, say --first; if it did, find the file: without it the log could have been rewritten")),
        (true, true) => Err(Failure::unusable(format!("{} is there already", args.state.display()))
            .next("leave --first out: it is for a witness that never saw the log")),
    }
}

/// What went wrong in one look.
enum Trouble {
    Passing(Failure),
    Lasting(Failure),
}

async fn look(
    args: &RunArgs,
    origin: &str,
    log_keys: &[KeyVerifier],
    key: &Key,
    session: &mut Session,
) -> Result<Cosigned, Trouble> {
    let lasting = |error: &dyn std::fmt::Display| Trouble::Lasting(Failure::failed(error));
    let seen = held_checkpoint::read(&args.state).map_err(|error| lasting(&error))?;
    let note = fetch(session, "/v1/log/checkpoint").await.map_err(Trouble::Passing)?;
    let keys: Vec<&dyn NoteVerifier> = log_keys.iter().map(|key| key as &dyn NoteVerifier).collect();
    let judged = |fault: WitnessFault| judge(fault, args, &note);
    let pending = compare(seen.as_ref(), &note, origin, &keys).map_err(judged)?;
    let proof = match &pending.plan {
        None => Vec::new(),
        Some(plan) => {
            let mut tiles = Tiles::new(pending.checkpoint.size);
            for id in tiles_for(plan.nodes(), pending.checkpoint.size) {
                let data = fetch(session, &format!("/v1/log/{id}")).await.map_err(Trouble::Passing)?;
                tiles.insert(id, data).map_err(|_| judged(WitnessFault::NoProof))?;
            }
            plan.build(&tiles).map_err(|_| judged(WitnessFault::NoProof))?
        }
    };
    let (checkpoint, mut signed) = pending.settle(&proof).map_err(judged)?;
    // Remembered before it is signed: a crash between the two costs a cosignature, not a fork.
    let text = String::from_utf8_lossy(&note);
    held_checkpoint::write(&args.state, &text).map_err(|error| lasting(&error))?;
    let seconds = u64::try_from(now().as_seconds()).unwrap_or(0);
    signed.add(&Cosigner::new(&args.name, key, seconds)).map_err(|error| lasting(&error))?;
    hand_over(session, &signed.to_string()).await.map_err(Trouble::Passing)?;
    Ok(said(&checkpoint, seen.map(|seen| seen.size)))
}

fn said(checkpoint: &Checkpoint, seen_before: Option<u64>) -> Cosigned {
    Cosigned { size: checkpoint.size, root: checkpoint.root.to_string(), seen_before }
}

/// What is no proof that the log misbehaved may pass; what is, is kept with the note that was seen.
fn judge(fault: WitnessFault, args: &RunArgs, note: &[u8]) -> Trouble {
    if !fault.is_evidence() {
        return Trouble::Passing(Failure::failed(format!("{}: {fault}", fault.code())));
    }
    let kept = keep_evidence(&args.state, note);
    let next = match kept {
        Ok(path) => format!(
            "both signed checkpoints are in {}: give them to the information governance officers",
            path.display()
        ),
        Err(error) => format!("the evidence could not be written ({}): keep {}", error.kind(), args.state.display()),
    };
    Trouble::Lasting(Failure::faulty(format!("{}: {fault}", fault.code())).next(next))
}

/// The checkpoint that was seen and the one that contradicts it, in one file beside the state.
fn keep_evidence(state: &Path, note: &[u8]) -> std::io::Result<PathBuf> {
    let seen = fs::read(state)?;
    let name = |number: u32| {
        let mut name = state.file_name().unwrap_or_default().to_owned();
        name.push(format!(".evidence-{number}"));
        state.with_file_name(name)
    };
    let path = (1..10_000).map(name).find(|path| !path.exists()).unwrap_or_else(|| name(0));
    fs::write(&path, [&seen[..], b"\n", note].concat())?;
    Ok(path)
}

async fn fetch(session: &mut Session, path: &str) -> Result<Vec<u8>, Failure> {
    let headers = session.headers(None).await?;
    let answer = session.client().get(path, &headers).await.map_err(|error| failure(&error))?;
    Ok(answer.body.to_vec())
}

async fn hand_over(session: &mut Session, note: &str) -> Result<(), Failure> {
    let headers = session.headers(None).await?;
    let body = note.as_bytes().to_vec().into();
    let answer = session.client().post_bytes("/v1/log/cosignatures", &headers, "text/plain", body).await;
    answer.map(drop).map_err(|error| failure(&error))
}

/// The witness's key.
struct Key {
    key: SigningKey,
    public: [u8; 32],
}

impl Key {
    fn new(key: SigningKey) -> Self {
        let public = *key.verifying_key().as_bytes();
        Self { key, public }
    }
}

impl Ed25519Signer for Key {
    fn public_key(&self) -> &[u8; 32] {
        &self.public
    }
    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SigningFailed> {
        Ok(self.key.sign(message))
    }
}
