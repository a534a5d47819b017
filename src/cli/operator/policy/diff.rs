//! `porth policy diff`: two versions of an agreement, or a folder and what is loaded, in plain words.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use jiff::civil::Date;
use serde::Serialize;

use super::files::PolicyFolder;
use super::source::{Sourced, from_database, from_folder};
use crate::app::policy_replay::ReplayCounts;
use crate::cli::operator::{app_failure, config_failure, read_bytes, store_failure, with_gateway};
use crate::cli::output::{Failure, Output};
use crate::config::Config;
use crate::domain::agreement::AgreementText;
use crate::domain::ids::{AgreementCode, AgreementRef};
use crate::domain::time::Timestamp;
use crate::policy::PolicyBook;
use crate::policy::diff::{Change, Flip, effects, texts, with_text};

const DAY_SECONDS: i64 = 86_400;

/// Arguments of `porth policy diff`.
#[derive(Debug, Args)]
pub(super) struct DiffArgs {
    /// The old version: a file, or a reference such as early-help-core/v1; with neither version, what is
    /// loaded is compared with the folder
    #[arg(value_name = "OLD", requires = "new")]
    old: Option<String>,
    /// The new version: a file or a reference
    #[arg(value_name = "NEW")]
    new: Option<String>,
    /// Take the other agreements, agencies and rules from the gateway's database, with this configuration
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Take them from these files; with --config and without versions, what the database is compared with
    #[arg(long, value_name = "DIR", default_value = "policies")]
    folder: PathBuf,
    /// On which day; today unless given
    #[arg(long, value_name = "DATE")]
    on: Option<Date>,
    /// Decide the questions that were logged in the last days by both, and count what would differ
    #[arg(long, value_name = "DAYS", requires_all = ["config", "by"])]
    replay_days: Option<u16>,
    /// Your account, for the log entry of the replay; never a person's name
    #[arg(long)]
    by: Option<String>,
}

#[derive(Serialize)]
struct Told {
    agreement: String,
    changes: Vec<Change>,
}

#[derive(Serialize)]
struct Difference {
    texts: Vec<Told>,
    effects: Vec<FlipTold>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replay: Option<ReplayCounts>,
}

#[derive(Serialize)]
struct FlipTold {
    #[serde(flatten)]
    flip: Flip,
    sentence: String,
}

/// The two books that are compared, and the pairs of texts that differ.
struct Sides {
    old: PolicyBook,
    new: PolicyBook,
    texts: Vec<Told>,
}

/// Compares and prints. A difference is an answer, not a failure.
pub(super) fn run(args: &DiffArgs, output: Output) -> Result<(), Failure> {
    let config = match &args.config {
        Some(path) => Some(Config::read(path).map_err(config_failure)?),
        None => None,
    };
    let at = args.on.map(|day| Timestamp::start_of(day).plus_seconds(12 * 3600));
    let base = match &config {
        Some(config) => from_database(config, at)?,
        None => Sourced::of_files(from_folder(&PolicyFolder::read(&args.folder)?)?, at),
    };
    let sides = match (&args.old, &args.new) {
        (Some(old), Some(new)) => versions(base.book(), old, new)?,
        _ if config.is_some() => folder(base.book(), &args.folder)?,
        _ => return Err(Failure::failed("name two versions, or a configuration to compare the folder with")),
    };
    let flips = effects(&sides.old, &sides.new, base.delivered(), base.now);
    let replay = match (&config, args.replay_days, &args.by) {
        (Some(config), Some(days), Some(by)) => Some(crate::cli::block_on(with_gateway(config, async |gateway| {
            let now = gateway.store().now().await.map_err(store_failure)?;
            let since = now.plus_seconds(-DAY_SECONDS * i64::from(days));
            gateway.replay_policies(&sides.old, &sides.new, since, by).await.map_err(app_failure)
        }))?),
        _ => None,
    };
    let told = |flip: Flip| FlipTold { sentence: flip.sentence(&sides.new), flip };
    let difference = Difference { effects: flips.into_iter().map(told).collect(), texts: sides.texts, replay };
    output.result(text_of(&difference), &difference);
    Ok(())
}

/// Two versions: each in the place of every version of that agreement in the base.
fn versions(base: &PolicyBook, old: &str, new: &str) -> Result<Sides, Failure> {
    let (old, new) = (version(base, old)?, version(base, new)?);
    if old.reference().id != new.reference().id {
        let (old, new) = (old.reference(), new.reference());
        return Err(Failure::failed(format!("{old} and {new} are versions of two agreements, not of one")));
    }
    let changes = texts(&old, &new);
    let agreement = format!("{} to {}", old.reference(), new.reference());
    let book = |text| with_text(base, text).map_err(Failure::failed);
    Ok(Sides { old: book(old)?, new: book(new)?, texts: vec![Told { agreement, changes }] })
}

fn version(base: &PolicyBook, named: &str) -> Result<Arc<AgreementText>, Failure> {
    if Path::new(named).is_file() {
        let bytes = read_bytes(Path::new(named))?;
        let text = AgreementText::parse(&bytes).map_err(|faults| Failure::failed(format!("{named}: {faults}")))?;
        return Ok(Arc::new(text));
    }
    let reference: Result<AgreementRef, _> = named.parse();
    let known = reference.ok().and_then(|reference| base.agreement(&reference));
    known.map(|agreement| Arc::clone(&agreement.text)).ok_or_else(|| {
        Failure::failed(format!("there is neither a file nor an agreement {named}"))
            .next("a reference is looked up in the database with --config, else in the folder")
    })
}

/// What is loaded, as it stands, and the folder as if signed and in force.
fn folder(loaded: &PolicyBook, folder: &Path) -> Result<Sides, Failure> {
    let new = from_folder(&PolicyFolder::read(folder)?)?;
    let old = loaded.with_agreements(loaded.agreements().cloned().collect()).map_err(Failure::failed)?;
    let (before, after) = (newest(&old), newest(&new));
    let mut told = Vec::new();
    for (id, text) in &after {
        match before.get(id) {
            Some(was) if was.hash() == text.hash() => {}
            Some(was) => {
                let agreement = format!("{} to {}", was.reference(), text.reference());
                told.push(Told { agreement, changes: texts(was, text) });
            }
            None => told.push(whole(text, "it is not loaded")),
        }
    }
    told.extend(
        before.iter().filter(|(id, _)| !after.contains_key(*id)).map(|(_, text)| whole(text, "the folder lacks it")),
    );
    if old.rules().hash() != new.rules().hash() {
        let change = Change { part: "rules".to_owned(), sentence: "the rule book is another".to_owned() };
        told.push(Told { agreement: "rules".to_owned(), changes: vec![change] });
    }
    Ok(Sides { old, new, texts: told })
}

fn whole(text: &AgreementText, sentence: &str) -> Told {
    let change = Change { part: "agreement".to_owned(), sentence: sentence.to_owned() };
    Told { agreement: text.reference().to_string(), changes: vec![change] }
}

/// The highest version of each agreement.
fn newest(book: &PolicyBook) -> BTreeMap<AgreementCode, &Arc<AgreementText>> {
    // In the order of references, whose numbers rise: the last of a code stays.
    let mut newest: BTreeMap<AgreementCode, &Arc<AgreementText>> = BTreeMap::new();
    for text in book.agreements().map(|agreement| &agreement.text) {
        let kept = newest.entry(text.reference().id.clone()).or_insert(text);
        if text.reference().version > kept.reference().version {
            *kept = text;
        }
    }
    newest
}

fn text_of(difference: &Difference) -> String {
    let mut lines = Vec::new();
    for told in &difference.texts {
        lines.push(format!("{}:", told.agreement));
        if told.changes.is_empty() {
            lines.push("  the texts say the same".to_owned());
        }
        lines.extend(told.changes.iter().map(|change| format!("  {}: {}", change.part, change.sentence)));
    }
    if difference.effects.is_empty() {
        lines.push("Nobody would learn more or less.".to_owned());
    }
    let mut day = None;
    for told in &difference.effects {
        if day != Some(told.flip.from) {
            day = Some(told.flip.from);
            lines.push(format!("From {} on:", told.flip.from));
        }
        lines.push(format!("  {}", told.sentence));
    }
    if let Some(counts) = &difference.replay {
        let ReplayCounts { questions, refused, allowed, changed, left_out } = counts;
        lines.push(format!(
            "Of {questions} logged questions {refused} would now be refused, {allowed} allowed, {changed} answered over \
             another set of data ({left_out} name no agreement)."
        ));
    }
    lines.join("\n")
}
