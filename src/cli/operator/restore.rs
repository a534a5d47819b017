//! `porth restore`.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::{ConfigFile, app_failure, config_failure, held_failure, read_bytes, store_failure};
use crate::app::held_checkpoint::{self, parse_checkpoint};
use crate::app::policies::hex;
use crate::app::restore::{Acceptance, RestoreError, RestoreTerms, Restored, restore};
use crate::app::retention::kept_erasures;
use crate::app::signers::KeyVerifier;
use crate::cli::auditor::log::trust::{TrustFile, verifier};
use crate::cli::output::{Failure, Output};
use crate::config::Config;
use crate::crypto::random::SystemRandom;
use crate::store::Store;
use crate::tlog::checkpoint::Checkpoint;
use crate::tlog::note::NoteVerifier;

/// Arguments of `porth restore`.
#[derive(Debug, Args)]
pub struct RestoreArgs {
    #[command(flatten)]
    config: ConfigFile,
    /// The backup
    #[arg(long, value_name = "FILE")]
    from: PathBuf,
    /// A checkpoint that was kept outside the database; repeat for several
    #[arg(long, value_name = "FILE")]
    checkpoint: Vec<PathBuf>,
    /// The trust file of `porth log trust`: then every checkpoint's signature is checked too
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
    /// Restore although entries of the log are missing; that is written into the log
    #[arg(long, requires = "by", requires = "reason")]
    accept_loss: bool,
    /// Who accepts the loss: your account, never a person's name
    #[arg(long, requires = "accept_loss")]
    by: Option<String>,
    /// Why, as a code for the log, such as incident:2026-014
    #[arg(long, requires = "accept_loss")]
    reason: Option<String>,
}

#[derive(Serialize)]
struct Done {
    rows: u64,
    sha256: String,
    made_at: String,
    from_engine: String,
    to_engine: &'static str,
    log_size: u64,
    log_root: String,
    log_pending: u64,
    checkpoints: u64,
    signatures_checked: bool,
    missing: u64,
}

/// Runs `porth restore`.
///
/// # Errors
///
/// [`Failure`] with what went wrong and what to do next; exit code 4 when the backup is damaged, is
/// another history, or lacks entries that are known from elsewhere.
pub fn run(args: RestoreArgs, output: &Output) -> Result<(), Failure> {
    let config = args.config.read()?;
    let known = known_checkpoints(&args, &config)?;
    let keys = trusted_keys(&args, &config)?;
    let keys: Vec<&dyn NoteVerifier> = keys.iter().map(|key| key as &dyn NoteVerifier).collect();
    for path in &args.checkpoint {
        let note = read_bytes(path)?;
        if !keys.is_empty() && Checkpoint::open(&note, &config.log_origin, &keys).is_err() {
            return Err(Failure::faulty(format!("{} is not signed by a trusted log key", path.display())));
        }
    }
    let accept_loss = match (&args.by, &args.reason) {
        (Some(by), Some(reason)) if args.accept_loss => Some(Acceptance { by, reason }),
        _ => None,
    };
    let terms = RestoreTerms { log_origin: &config.log_origin, known: &known, log_keys: &keys, accept_loss };
    let location = config.database.location().map_err(config_failure)?;
    let (restored, engine) = crate::cli::block_on(async {
        let store = Store::connect(&location, config.database.connections).await.map_err(store_failure)?;
        let restored = restore(&store, &args.from, terms, &SystemRandom::new()).await.map_err(failure)?;
        let engine = store.engine().name();
        store.close().await;
        Ok((restored, engine))
    })?;
    if restored.loss.is_some() {
        // The loss is accepted, and in the log: what this machine remembers is what there is now.
        forget_later(&config, &restored)?;
    }
    tell(&restored, engine, Evidence { signatures: !keys.is_empty(), newest: !known.is_empty() }, output);
    tell_erasures(&config, output)
}

/// What was erased since the backup was made is in it still, until the gateway starts and knows of it.
fn tell_erasures(config: &Config, output: &Output) -> Result<(), Failure> {
    let path = kept_erasures::beside(&config.state_file());
    let kept = kept_erasures::read(&path).map_err(Failure::unusable)?;
    if kept.is_empty() {
        output.note(format_args!(
            "This machine knows of no erasure: if entries were erased since the backup was made, put the file of erasures \
             from another machine at {} before you start.",
            path.display()
        ));
    } else {
        output.note(format_args!(
            "{} entries were erased once: what of them is in the backup is destroyed again before the gateway serves.",
            kept.len()
        ));
    }
    Ok(())
}

/// What the backup was held against.
#[derive(Debug, Clone, Copy)]
struct Evidence {
    /// Keys from a trust file.
    signatures: bool,
    /// A checkpoint from elsewhere, or the one that this machine remembers.
    newest: bool,
}

/// What is known of the log from outside the backup: the given files, and what this machine remembers.
fn known_checkpoints(args: &RestoreArgs, config: &Config) -> Result<Vec<Checkpoint>, Failure> {
    let mut known = Vec::new();
    for path in &args.checkpoint {
        let checkpoint = parse_checkpoint(&read_bytes(path)?);
        known.push(checkpoint.ok_or_else(|| Failure::failed(format!("{} holds no checkpoint", path.display())))?);
    }
    known.extend(held_checkpoint::read(&config.state_file()).map_err(held_failure)?);
    Ok(known)
}

fn trusted_keys(args: &RestoreArgs, config: &Config) -> Result<Vec<KeyVerifier>, Failure> {
    let Some(path) = &args.trust else { return Ok(Vec::new()) };
    let trust = TrustFile::read(path)?;
    if trust.origin != config.log_origin || trust.log_keys.is_empty() {
        return Err(Failure::unusable(format!("{} names another log, or no log key", path.display())));
    }
    trust.log_keys.iter().map(|key| verifier(key)).collect()
}

fn forget_later(config: &Config, restored: &Restored) -> Result<(), Failure> {
    let path = config.state_file();
    match &restored.header.checkpoint {
        Some(note) => held_checkpoint::write(&path, note).map_err(held_failure),
        None => std::fs::remove_file(&path)
            .or_else(|error| if error.kind() == std::io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
            .map_err(|error| Failure::failed(format!("cannot remove {}: {}", path.display(), error.kind()))),
    }
}

fn tell(restored: &Restored, engine: &'static str, held_against: Evidence, output: &Output) {
    let missing = restored.loss.map_or(0, |loss| loss.missing);
    let done = Done {
        rows: restored.rows,
        sha256: hex(&restored.sha256),
        made_at: restored.header.made_at.to_string(),
        from_engine: restored.header.engine.clone(),
        to_engine: engine,
        log_size: restored.log.size,
        log_root: restored.log.root.to_string(),
        log_pending: restored.log.pending,
        checkpoints: restored.log.checkpoints,
        signatures_checked: held_against.signatures,
        missing,
    };
    let text = format!(
        "Restored {} rows from a backup of {} ({}) into {}.\nThe log is whole: {} entries, {} checkpoints agree, {} entries wait.",
        done.rows, done.made_at, done.from_engine, done.to_engine, done.log_size, done.checkpoints, done.log_pending
    );
    output.result(text, &done);
    if missing > 0 {
        output.note(format_args!(
            "{missing} entries of the log are lost. An entry says so. Tell the information governance officers, and \
             whoever holds a later checkpoint or a receipt; on other machines remove the file that `state_file` names."
        ));
    }
    if !held_against.signatures {
        output.note("Signatures of checkpoints were not checked: --trust names the keys.");
    }
    if !held_against.newest {
        output.note(
            "Nobody can tell whether this is the newest backup: there was no --checkpoint from elsewhere, and this \
             machine remembers none.",
        );
    }
    if done.log_pending > 0 {
        output.note("Entries that wait are under no checkpoint yet: nothing shows that they are as they were written.");
    }
    output.note(format_args!(
        "Whatever was changed after {} is as it was before. Before you start: suspend and revoke again what was suspended \
         or revoked since, and have agencies send again the feeds whose shields are newer. The checklist is in \
         docs/operations.md.",
        done.made_at
    ));
}

fn failure(error: RestoreError) -> Failure {
    match error {
        RestoreError::App(error) => app_failure(error),
        RestoreError::NotEmpty => {
            Failure::failed(error).next("name a new database, or take the schema down: `porth migrate --down 0 --yes`")
        }
        RestoreError::Schema(_) => Failure::failed(error)
            .next("restore it with the porth that made it, then bring the database up with this one: `porth migrate`"),
        RestoreError::Loss(_) => Failure::faulty(error)
            .next("look for a newer backup; --accept-loss with --by and --reason restores this one and logs the loss"),
        RestoreError::Fork(_) => {
            Failure::faulty(error).next("the log was rewritten, or a checkpoint is of another log")
        }
        RestoreError::OtherLog => Failure::unusable(error).next("`log_origin` names the log; check both files"),
        RestoreError::Tables(_) => Failure::failed(error),
        RestoreError::File(_) | RestoreError::Log(_) => {
            Failure::faulty(error).next("use another copy of the backup; nothing was restored")
        }
    }
}
