//! `porth doctor agency`: everything that an agency's machine needs, looked at one by one. A line says
//! `ok`, `warn` or `fail`, and what to do next. Nothing is changed but that the gateway notes the token
//! check, and nobody is asked about.

mod reach;
mod revocation;
mod test_tokens;

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::connection::{Connection, now};
use super::join::reply::JoinReply;
use super::join::{CERTIFICATE, CONNECTION, FOLDER, KEYS, REPLY, ROOT};
use super::key_file::{AgencyKeyFile, EpochTypeKeys, hex};
use super::tokenise::{golden_vectors, read_file, read_match_keys};
use crate::cli::output::{Failure, Output};
use crate::client::is_signed_by;
use crate::crypto::certs::{der_of_pem, summarise};
use crate::domain::match_keys::MatchKeys;
use test_tokens::TokenKeys;

/// Days before its end from which a certificate is warned about.
const RENEW_DAYS: i64 = 30;

/// Arguments of `porth doctor agency`.
#[derive(Debug, Args)]
pub struct AgencyDoctorArgs {
    /// The agency's folder
    #[arg(long, alias = "agency-folder", value_name = "DIR", default_value = FOLDER)]
    folder: PathBuf,
    /// The programme's match-keys file, if not the one shipped with this program
    #[arg(long, value_name = "FILE")]
    match_keys: Option<PathBuf>,
}

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    /// As it should be.
    Ok,
    /// It works, and needs attention; or it could not be looked at.
    Warn,
    /// It does not work.
    Fail,
}

/// One line of the result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    check: &'static str,
    verdict: Verdict,
    said: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

impl Finding {
    pub(super) fn ok(check: &'static str, said: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Ok, said: said.into(), next: None }
    }
    pub(super) fn warn(check: &'static str, said: impl Into<String>, next: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Warn, said: said.into(), next: Some(next.into()) }
    }
    pub(super) fn fail(check: &'static str, said: impl Into<String>, next: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Fail, said: said.into(), next: Some(next.into()) }
    }
    /// A check that another's failure makes impossible.
    pub(super) fn skipped(check: &'static str, because: &str) -> Self {
        Self::warn(check, format!("not looked at: {because} did not work"), format!("put {because} right first"))
    }
    /// What a failed command said, as a finding.
    pub(super) fn of(check: &'static str, failure: &Failure) -> Self {
        let next = failure.next_step().unwrap_or("the message says what is wrong");
        Self::fail(check, failure.message(), next)
    }
    pub(super) fn is_fail(&self) -> bool {
        self.verdict == Verdict::Fail
    }
}

/// Runs `porth doctor agency`.
///
/// # Errors
///
/// [`Failure`] with exit code 4 if a check failed.
pub fn run(args: &AgencyDoctorArgs, output: Output) -> Result<(), Failure> {
    let mut findings = vec![vectors(), folder(&args.folder)];
    let (found, token_keys) = keys(args);
    findings.extend(found);
    findings.push(certificate(&args.folder));
    match Connection::read(&args.folder.join(CONNECTION)) {
        Ok(connection) => {
            findings.push(revocation::look(&connection, now()));
            findings.extend(reach::look(&connection, token_keys.as_ref()));
        }
        Err(failure) => findings.push(Finding::of("connection", &failure)),
    }
    let failed = findings.iter().filter(|finding| finding.is_fail()).count();
    let lines: Vec<String> = findings.iter().map(line).collect();
    output.result(lines.join("\n"), &serde_json::json!({ "findings": findings, "failed": failed }));
    if failed == 0 {
        return Ok(());
    }
    Err(Failure::faulty(format!("{failed} check(s) failed")).next("each line above says what to do"))
}

fn line(finding: &Finding) -> String {
    let word = match finding.verdict {
        Verdict::Ok => "ok",
        Verdict::Warn => "warn",
        Verdict::Fail => "fail",
    };
    let next = finding.next.as_ref().map(|next| format!("\n      {:<12} next: {next}", "")).unwrap_or_default();
    format!("{word:<5} {:<12} {}{next}", finding.check, finding.said)
}

fn vectors() -> Finding {
    match golden_vectors() {
        Ok(count) => Finding::ok("vectors", format!("all {count} golden vectors come out as published")),
        Err(reason) => {
            Finding::fail("vectors", reason, "this build makes wrong tokens: do not use it, install another")
        }
    }
}

fn folder(folder: &Path) -> Finding {
    use std::os::unix::fs::MetadataExt as _;
    match std::fs::metadata(folder) {
        Err(error) => Finding::fail(
            "folder",
            format!("{}: {}", folder.display(), error.kind()),
            "name the agency's folder with --folder, or make one with `porth join request`",
        ),
        Ok(metadata) if metadata.mode() & 0o077 != 0 => Finding::fail(
            "folder",
            format!("{} can be entered by other users of this machine", folder.display()),
            format!("`chmod 700 {}`", folder.display()),
        ),
        Ok(_) => Finding::ok("folder", format!("{} is this user's alone", folder.display())),
    }
}

/// The key file, the match keys, and whether both are what the gateway has registered; what tokens can be
/// made with, if there is something.
fn keys(args: &AgencyDoctorArgs) -> (Vec<Finding>, Option<TokenKeys>) {
    let without = |finding: Finding, because: &str| (vec![finding, Finding::skipped("key-check", because)], None);
    let file = match AgencyKeyFile::read(&args.folder.join(KEYS)) {
        Ok(file) => file,
        Err(error) => {
            let next = "`porth join request` makes the file; a key file is readable by its owner alone";
            return without(Finding::fail("keys", error.to_string(), next), "the key file");
        }
    };
    let match_keys = match read_match_keys(args.match_keys.as_deref()) {
        Ok(match_keys) => match_keys,
        Err(failure) => return without(Finding::of("keys", &failure), "the match-keys file"),
    };
    let epochs = match file.type_keys(&match_keys) {
        Ok(epochs) => epochs,
        Err(error) => {
            let next = "ask the key custodian for the keys, then `porth join finish`";
            return without(Finding::fail("keys", error.to_string(), next), "the key file");
        }
    };
    let types: usize = epochs.iter().map(|epoch| epoch.keys.iter().flatten().count()).sum();
    let keys = Finding::ok("keys", format!("{types} token type key(s) in {} epoch(s)", epochs.len()));
    let check = key_check(&args.folder, &match_keys, &epochs);
    let epochs = epochs.len();
    (vec![keys, check], Some(TokenKeys { file, match_keys, epochs }))
}

/// Whether keys and match keys are the ones that the operator's reply names.
fn key_check(folder: &Path, match_keys: &MatchKeys, epochs: &[EpochTypeKeys]) -> Finding {
    const CHECK: &str = "key-check";
    let reply: Option<JoinReply> =
        std::fs::read(folder.join(REPLY)).ok().and_then(|text| serde_json::from_slice(&text).ok());
    let Some(reply) = reply else {
        let next = "the gateway refuses a wrong key with `wrong-key-check`; keep the operator's reply in the folder";
        return Finding::warn(CHECK, "there is no operator's reply to compare with", next);
    };
    if reply.match_keys != hex(match_keys.sha256()) {
        let next = "take the programme's current file with --match-keys; the gateway refuses tokens of any other";
        return Finding::fail(CHECK, "the match-keys file is not the programme's", next);
    }
    let (mut same, mut unknown) = (0, 0);
    for epoch in epochs {
        for (match_key, key) in match_keys.keys().iter().zip(&epoch.keys) {
            let Some(key) = key else { continue };
            match reply.key_checks.get(&epoch.epoch).and_then(|types| types.get(&match_key.name)) {
                Some(known) if *known == hex(&key.key_check()) => same += 1,
                Some(_) => {
                    let said =
                        format!("the key of {} in epoch {} is not the registered one", match_key.name, epoch.epoch);
                    let next = "ask the key custodian which linkage key is current; make no tokens until then";
                    return Finding::fail(CHECK, said, next);
                }
                None => unknown += 1,
            }
        }
    }
    if unknown == 0 {
        return Finding::ok(CHECK, format!("{same} key check(s) are the registered ones"));
    }
    let said = format!("{same} key check(s) are the registered ones, {unknown} were not registered at enrolment");
    Finding::warn(CHECK, said, "ask the operator whether the epoch's key checks are registered by now")
}

fn certificate(folder: &Path) -> Finding {
    const CHECK: &str = "certificate";
    let pem = match read_file(&folder.join(CERTIFICATE)) {
        Ok(pem) => pem,
        Err(failure) => {
            return Finding::fail(CHECK, failure.message(), "`porth join finish` with the operator's reply");
        }
    };
    let text = String::from_utf8_lossy(&pem);
    let Ok(summary) = der_of_pem(&text).and_then(|der| summarise(&der)) else {
        return Finding::fail(
            CHECK,
            "client.pem holds no certificate",
            "`porth join finish` with the operator's reply",
        );
    };
    let now = now();
    let until = summary.validity.until;
    if until < now || now < summary.validity.from {
        let said =
            format!("it is good from {} until {}, and this machine's clock says {now}", summary.validity.from, until);
        return Finding::fail(CHECK, said, "check this machine's clock; else join again to get a new one");
    }
    let roots = std::fs::read(folder.join(ROOT)).unwrap_or_default();
    if !is_signed_by(&pem, &roots, now.as_seconds().unsigned_abs()) {
        let said = "it is not signed by the authority in gateway-root.pem";
        return Finding::warn(CHECK, said, "right if the operator has two authorities; the TLS line below tells");
    }
    let days = (until.as_seconds() - now.as_seconds()) / 86_400;
    let said = format!("good until {}, {days} day(s), signed by the programme's authority", until.date());
    if days < RENEW_DAYS {
        Finding::warn(CHECK, said, "join again now: a new certificate takes a few days")
    } else {
        Finding::ok(CHECK, said)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_begins_with_its_verdict_and_says_what_to_do() {
        let finding = Finding::fail("clock", "95 s ahead", "set it by NTP");
        assert_eq!(line(&finding), "fail  clock        95 s ahead\n                   next: set it by NTP");
        assert!(line(&Finding::ok("clock", "right")).starts_with("ok    clock "));
    }

    #[test]
    fn a_folder_that_others_enter_fails() {
        use std::os::unix::fs::PermissionsExt as _;
        let place = tempfile::tempdir().unwrap();
        std::fs::set_permissions(place.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
        assert!(!folder(place.path()).is_fail());
        std::fs::set_permissions(place.path(), std::fs::Permissions::from_mode(0o750)).unwrap();
        assert!(folder(place.path()).is_fail());
        assert!(folder(&place.path().join("none")).is_fail());
    }
}
