//! `porth doctor gateway`: is this gateway well, and what to do where it is not.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use clap::Args;
use serde::Serialize;

use super::ConfigFile;
use crate::app::doctor::{ENDING_DAYS, Expected, Finding, Health, examine, unanswered, witnesses};
use crate::cli::output::{Failure, Output};
use crate::config::{Config, Mode};
use crate::crypto::certs::{der_of_pem, summarise};
use crate::runtime::{self, machine_time};
use crate::store::Store;

/// Mebibytes below which a disc is nearly full.
const DISC_WARN: u64 = 2048;
/// Mebibytes below which it is as good as full.
const DISC_FAIL: u64 = 256;
/// Days before it lapses at which a revocation list is spoken of.
const LIST_DAYS: i64 = 7;

/// Arguments of `porth doctor gateway`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    #[command(flatten)]
    config: ConfigFile,
}

#[derive(Serialize)]
struct Report {
    health: Health,
    findings: Vec<Finding>,
}

/// Runs `porth doctor gateway`, as the user who runs the gateway.
///
/// # Errors
///
/// [`Failure`] with exit code 1 when something fails; warnings alone are no failure.
pub fn run(args: DoctorArgs, output: &Output) -> Result<(), Failure> {
    let config = args.config.read()?;
    let mut findings = vec![Finding::ok("configuration", "well-formed")];
    findings.extend(set_up(&config));
    findings.push(folder(&config.keys.folder));
    findings.push(checkpoint_key(&config));
    findings.push(linkage_key(&[&config.keys.folder, folder_of(&config.keys.folder)]));
    findings.extend(listener(&config));
    findings.extend(database(&config));
    findings.push(disc(&config));
    let health = findings.iter().map(|finding| finding.health).max().unwrap_or(Health::Ok);
    let report = Report { health, findings };
    output.result(report.findings.iter().map(line).collect::<Vec<_>>().join("\n"), &report);
    let failed = report.findings.iter().filter(|finding| finding.health == Health::Fail).count();
    if failed == 0 { Ok(()) } else { Err(Failure::failed(format!("{failed} of the checks failed"))) }
}

fn line(finding: &Finding) -> String {
    let word = match finding.health {
        Health::Ok => "ok",
        Health::Warn => "warn",
        Health::Fail => "fail",
    };
    let line = format!("{word:<5} {}: {}", finding.check, finding.what);
    match &finding.next {
        Some(next) => format!("{line}\n      {next}"),
        None => line,
    }
}

/// What production would refuse: a failure there, a warning in a pilot.
fn set_up(config: &Config) -> Vec<Finding> {
    let refusals = runtime::all_refusals(config);
    if refusals.is_empty() {
        return vec![Finding::ok("set-up", "production mode would start with these keys and certificates")];
    }
    let finding = |line: String| match config.mode {
        Mode::Production => Finding::fail("set-up", line, "production refuses to start with this"),
        Mode::Pilot => Finding::warn("set-up", line, "put this right before production"),
    };
    refusals.into_iter().map(finding).collect()
}

/// The folder of the keys is its owner's alone.
fn folder(path: &Path) -> Finding {
    let check = "key folder";
    match std::fs::metadata(path) {
        Err(error) => Finding::fail(
            check,
            format!("cannot read {}: {}", path.display(), error.kind()),
            "run this as the gateway's user; check `keys.folder`",
        ),
        Ok(found) if found.mode() & 0o077 != 0 => Finding::warn(
            check,
            format!("{} can be entered by others than its owner (mode {:o})", path.display(), found.mode() & 0o777),
            format!("chmod 700 {}", path.display()),
        ),
        Ok(_) => Finding::ok(check, "its owner's alone"),
    }
}

/// Whoever holds the checkpoint key can rewrite the log, so it is best not where the gateway runs.
fn checkpoint_key(config: &Config) -> Finding {
    let check = "checkpoint key";
    let holds = |folder: &Path| {
        let names = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.file_name());
        names.into_iter().any(|name| name.to_string_lossy().starts_with("checkpoint."))
    };
    if config.keys.checkpoint_folder.is_some() {
        let what = "this gateway sequences its own log: whoever takes over the process can rewrite it";
        return Finding::warn(check, what, "in production run `porth sequence` as a user of its own");
    }
    if holds(&config.keys.folder) {
        return Finding::fail(check, "it lies in the gateway's key folder", "move it to the sequencer's own user");
    }
    Finding::ok(check, "not where the gateway runs: `porth sequence` has it")
}

/// The linkage key is the agencies': whoever has it beside the gateway's own could name people.
fn linkage_key(folders: &[&Path]) -> Finding {
    let check = "linkage key";
    let is_one = |name: &std::ffi::OsStr| name.to_string_lossy().starts_with("linkage-epoch-");
    let found = folders.iter().flat_map(std::fs::read_dir).flatten().flatten().find(|entry| is_one(&entry.file_name()));
    match found {
        Some(entry) => Finding::fail(
            check,
            format!("{} lies on the gateway's machine", entry.path().display()),
            "take it away: the key custodians in the agencies hold it, and nobody else",
        ),
        None => Finding::ok(check, "not in the gateway's folders"),
    }
}

/// The listener's certificate and the revocation lists.
fn listener(config: &Config) -> Vec<Finding> {
    let now = machine_time().as_seconds();
    let tls = match runtime::listener_tls(config) {
        Ok(tls) => tls,
        Err(error) => return vec![Finding::fail("TLS", error.to_string(), "check the files under [tls]")],
    };
    let mut findings = vec![until(
        "gateway's certificate",
        (tls.certificate_lapses_at - now).div_euclid(86_400),
        ENDING_DAYS,
        "issue a new one: `porth keys init --for server`",
    )];
    if let Some(at) = tls.revocation_lists_lapse_at {
        let next = "issue or fetch the next list: `porth keys revocation-list`; a lapsed one keeps every agency out";
        findings.push(until("revocation lists", (at - now).div_euclid(86_400), LIST_DAYS, next));
    }
    for path in &config.tls.client_roots {
        let summary = std::fs::read_to_string(path).ok().and_then(|pem| der_of_pem(&pem).ok());
        if let Some(summary) = summary.and_then(|der| summarise(&der).ok()) {
            let days = (summary.validity.until.as_seconds() - now).div_euclid(86_400);
            findings.push(until("issuing authority", days, 3 * ENDING_DAYS, "plan the next authority"));
        }
    }
    findings
}

fn until(check: &'static str, days: i64, warn_days: i64, next: &str) -> Finding {
    if days < 0 {
        Finding::fail(check, "has lapsed", next)
    } else if days < warn_days {
        Finding::warn(check, format!("lapses in {days} days"), next)
    } else {
        Finding::ok(check, format!("good for {days} days"))
    }
}

fn database(config: &Config) -> Vec<Finding> {
    let look = async {
        let location = config.database.location().map_err(super::config_failure)?;
        let store = match Store::connect(&location, config.database.connections).await {
            Ok(store) => store,
            Err(error) => return Ok(vec![unanswered(&error)]),
        };
        let mut findings = vec![Finding::ok("database", format!("reached ({})", store.engine().name()))];
        let state_file = config.state_file();
        let expected = Expected {
            programme: &config.programme,
            log_origin: &config.log_origin,
            state_file: &state_file,
            machine: machine_time(),
        };
        findings.extend(examine(&store, expected).await);
        findings.push(match runtime::witnesses_of(config) {
            Ok(known) => {
                witnesses(&store, known.as_ref(), &config.log_origin).await.unwrap_or_else(|error| unanswered(&error))
            }
            Err(error) => Finding::fail("witnesses", error.to_string(), "check [witnesses]"),
        });
        store.close().await;
        Ok(findings)
    };
    crate::cli::block_on(look)
        .unwrap_or_else(|_| vec![Finding::fail("database", "it could not be looked at", "check [database]")])
}

/// Room where this machine writes: the SQLite file's disc, or that of the state file.
fn disc(config: &Config) -> Finding {
    let check = "disc";
    let state_file = config.state_file();
    let file = config.database.sqlite.as_deref().unwrap_or(&state_file);
    let folder = folder_of(file);
    let Some(free) = free_mebibytes(folder) else {
        return Finding::warn(check, "how much room is left could not be found out", "look with `df`");
    };
    let what = format!("{free} MiB free at {}", folder.display());
    let next = "make room: without it nothing is logged, so nothing is answered";
    if free < DISC_FAIL {
        Finding::fail(check, what, next)
    } else if free < DISC_WARN {
        Finding::warn(check, what, next)
    } else {
        Finding::ok(check, what)
    }
}

/// The folder that something lies in.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Asks POSIX `df`: the standard library cannot say.
fn free_mebibytes(folder: &Path) -> Option<u64> {
    let output = std::process::Command::new("df").arg("-Pk").arg(folder).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    available(&text)
}

fn available(text: &str) -> Option<u64> {
    let kibibytes: u64 = text.lines().nth(1)?.split_whitespace().nth(3)?.parse().ok()?;
    Some(kibibytes / 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_room_left_is_read_as_posix_prints_it() {
        let text = "Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/x 100 40 61440 40% /srv\n";
        assert_eq!(available(text), Some(60));
        assert_eq!(available("df: no such folder"), None);
        assert!(free_mebibytes(Path::new("/")).is_some());
    }

    #[test]
    fn what_lapses_is_told_before_it_has() {
        let health = |days| until("a list", days, 7, "issue it").health;
        assert_eq!(
            [health(-1), health(0), health(6), health(7)],
            [Health::Fail, Health::Warn, Health::Warn, Health::Ok]
        );
    }
}
