//! `porth policy dpia`: the pack that supports an impact assessment, from the live configuration.

use std::path::PathBuf;

use clap::Args;

use super::source::Source;
use crate::cli::operator::config_failure;
use crate::cli::output::{Failure, Output};
use crate::config::{Config, Mode};
use crate::policy::dpia::pack;

/// Arguments of `porth policy dpia`.
#[derive(Debug, Args)]
pub(super) struct DpiaArgs {
    #[command(flatten)]
    source: Source,
    /// The folder that gets `dpia.md` and `dpia.json`; made if it is not there
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// Writes both files.
pub(super) fn run(args: &DpiaArgs, output: Output) -> Result<(), Failure> {
    let sourced = args.source.read(output)?;
    let installation = match args.source.config() {
        Some(path) => facts(&Config::read(path).map_err(config_failure)?),
        None => Vec::new(),
    };
    let pack = pack(sourced.book(), sourced.delivered(), installation, sourced.now);
    let write = |name: &str, text: &str| {
        let path = args.out.join(name);
        std::fs::write(&path, text).map_err(|error| Failure::failed(format!("{}: {error}", path.display())))?;
        Ok::<_, Failure>(path)
    };
    std::fs::create_dir_all(&args.out).map_err(|error| Failure::failed(format!("{}: {error}", args.out.display())))?;
    let document = write("dpia.md", &pack.to_markdown())?;
    let json = serde_json::to_string_pretty(&pack).map_err(|_| Failure::failed("the pack cannot be written"))?;
    write("dpia.json", &format!("{json}\n"))?;
    let text = format!(
        "{} flows, {} agreements, {} things open. Wrote {} and dpia.json beside it.",
        pack.flows.len(),
        pack.agreements.len(),
        pack.open.len(),
        document.display()
    );
    output.result(
        text,
        &serde_json::json!({ "flows": pack.flows.len(), "agreements": pack.agreements.len(), "open": pack.open }),
    );
    Ok(())
}

/// What the configuration says about protection. No path, address or key.
fn facts(config: &Config) -> Vec<(String, String)> {
    let mode = match config.mode {
        Mode::Production => "production: example keys and weak file permissions are refused",
        Mode::Pilot => "pilot: for synthetic or consented data only",
    };
    let witnesses = &config.witnesses;
    let witnesses = if witnesses.keys.is_empty() {
        "none: nobody outside would notice that the log was rewritten".to_owned()
    } else {
        let (quorum, all, minutes) = (witnesses.quorum, witnesses.keys.len(), witnesses.stop_after_minutes);
        format!("{quorum} of {all} have to cosign; releases stop after {minutes} minutes without")
    };
    let engine = if config.database.postgres_url_file.is_some() { "PostgreSQL" } else { "SQLite" };
    let facts = [
        ("Mode", mode.to_owned()),
        ("Disclosure log", config.log_origin.clone()),
        ("Witnesses of the log", witnesses),
        ("Database", engine.to_owned()),
        ("Connections of agencies", "TLS 1.3 with a client certificate of a listed authority".to_owned()),
        ("Requests a second and caller", config.limits.requests_per_second.to_string()),
        ("Pages of a match run are kept", format!("{} days", config.retention.match_run_days)),
    ];
    facts.into_iter().map(|(what, is)| (what.to_owned(), is)).collect()
}
