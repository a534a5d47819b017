//! An operator asks whether all is well: what the database says.
//!
//! Each finding is one line: what was looked at, how it is, what that means and what to do. Nothing
//! in it concerns a person.

use std::path::Path;

use serde::Serialize;

use super::error::AppError;
use super::held_checkpoint::{self, HeldError};
use super::log_index::check_log_index;
use super::witness::{Witnesses, witnessed_age};
use crate::domain::ids::ProgrammeCode;
use crate::domain::time::Timestamp;
use crate::store::{Store, StoreError};

/// Seconds by which the machine's clock may differ from the database's without remark.
const CLOCKS_WARN_S: i64 = 2;
/// Seconds by which it may differ at all: beyond, assertions are refused.
const CLOCKS_FAIL_S: i64 = 30;
/// Seconds that entries may wait for their place.
const LAG_WARN_S: i64 = 60;
/// Seconds after which receipts are broken promises.
const LAG_FAIL_S: i64 = 600;
/// Seconds that a received file may wait to be made visible.
const WAIT_WARN_S: i64 = 600;
/// The newest entries whose lines in the index are compared with them.
const INDEX_COMPARED: u64 = 10_000;
/// Days before its end at which a certificate is spoken of.
pub const ENDING_DAYS: i64 = 30;

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// As it should be.
    Ok,
    /// It works, but somebody should look.
    Warn,
    /// It does not work, or soon will not, or must not be so.
    Fail,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at.
    pub check: &'static str,
    /// How it is.
    pub health: Health,
    /// What was found, and what that means.
    pub what: String,
    /// What to do next, unless all is well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl Finding {
    /// All is well.
    pub fn ok(check: &'static str, what: impl Into<String>) -> Self {
        Self { check, health: Health::Ok, what: what.into(), next: None }
    }
    /// Somebody should look.
    pub fn warn(check: &'static str, what: impl Into<String>, next: impl Into<String>) -> Self {
        Self { check, health: Health::Warn, what: what.into(), next: Some(next.into()) }
    }
    /// It must not stay so.
    pub fn fail(check: &'static str, what: impl Into<String>, next: impl Into<String>) -> Self {
        Self { check, health: Health::Fail, what: what.into(), next: Some(next.into()) }
    }
}

/// What the database is compared with.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// The programme by the configuration.
    pub programme: &'a ProgrammeCode,
    /// The log's origin by the configuration.
    pub log_origin: &'a str,
    /// Where this machine remembers the newest checkpoint.
    pub state_file: &'a Path,
    /// The machine's own clock.
    pub machine: Timestamp,
}

/// Looks at a database that can be reached.
pub async fn examine(store: &Store, expected: Expected<'_>) -> Vec<Finding> {
    match store.check_schema().await {
        Ok(()) => {}
        Err(error) => {
            return vec![Finding::fail("schema", error.to_string(), "bring schema and program together")];
        }
    }
    let mut findings = vec![Finding::ok("schema", format!("version {}", crate::store::SCHEMA_VERSION))];
    match look(store, expected, &mut findings).await {
        Ok(()) => {}
        Err(error) => findings.push(unanswered(&error)),
    }
    findings
}

/// Whether partner agencies have seen the log lately.
///
/// # Errors
///
/// [`StoreError`] from the database.
pub async fn witnesses(store: &Store, witnesses: Option<&Witnesses>, log: &str) -> Result<Finding, StoreError> {
    let check = "witnesses";
    let Some(witnesses) = witnesses else {
        let what = "there are none: nobody outside would notice a log that was taken back or rewritten";
        return Ok(Finding::warn(
            check,
            what,
            "let partner agencies run `porth witness`, and name them in [witnesses]",
        ));
    };
    let (known, quorum) = witnesses.numbers();
    let next = "ask the partners why `porth witness run` does not go on; exit code 4 means that they found a fault";
    let Some(age) = witnessed_age(store, witnesses, log).await? else {
        return Ok(Finding::fail(
            check,
            format!("{quorum} of {known} have to, and never did: nothing is released"),
            next,
        ));
    };
    let what = format!("{quorum} of {known} had seen the whole log {} minutes ago", age.as_secs() / 60);
    Ok(match witnesses.stop_after() {
        limit if age >= limit => Finding::fail(check, format!("{what}: nothing is released"), next),
        limit if age >= limit / 2 => Finding::warn(check, what, next),
        _ => Finding::ok(check, what),
    })
}

/// The database did not answer.
pub fn unanswered(error: &StoreError) -> Finding {
    Finding::fail("database", error.to_string(), "check that it runs and that [database] names it")
}

async fn look(store: &Store, expected: Expected<'_>, findings: &mut Vec<Finding>) -> Result<(), StoreError> {
    let now = store.now().await?;
    findings.push(clocks(expected.machine, now));
    findings.push(programme(store, expected.programme).await?);
    log(store, expected, now, findings).await?;
    findings.push(log_index(store).await?);
    findings.push(submissions(store, expected.programme, now).await?);
    let ending = store.certificates_ending(now, now.plus_seconds(ENDING_DAYS * 86_400)).await?;
    findings.push(match ending {
        0 => Finding::ok("agencies' certificates", format!("none ends within {ENDING_DAYS} days")),
        some => Finding::warn(
            "agencies' certificates",
            format!("{some} end within {ENDING_DAYS} days"),
            "ask those agencies for new requests, and certify and enrol them",
        ),
    });
    findings.push(alerts(store, now).await?);
    findings.push(reviews(store, now).await?);
    let suspended = store.suspended_feeds(expected.programme).await?;
    findings.push(if suspended.is_empty() {
        Finding::ok("feeds", "none is suspended")
    } else {
        let names: Vec<String> = suspended.iter().map(|(agency, feed)| format!("{agency}/{feed}")).collect();
        Finding::warn("feeds", format!("suspended: {}", names.join(", ")), "`porth resume feed` when that is over")
    });
    Ok(())
}

fn clocks(machine: Timestamp, database: Timestamp) -> Finding {
    let difference = (machine.as_micros() - database.as_micros()).abs() / 1_000_000;
    let what = format!("the machine's and the database's differ by {difference} s");
    let next = "keep both machines on the same time source";
    match difference {
        0..=CLOCKS_WARN_S => Finding::ok("clocks", what),
        ..=CLOCKS_FAIL_S => Finding::warn("clocks", what, next),
        _ => Finding::fail("clocks", what, next),
    }
}

async fn programme(store: &Store, programme: &ProgrammeCode) -> Result<Finding, StoreError> {
    Ok(match store.view(programme).await? {
        Some(view) => Finding::ok("programme", format!("{programme}, policy revision {}", view.policy_revision)),
        None => Finding::fail("programme", "no policy files are loaded", "run `porth policy load`"),
    })
}

/// The log: open under its name, signed to its end, keeping up, and no older than what is remembered.
async fn log(
    store: &Store,
    expected: Expected<'_>,
    now: Timestamp,
    findings: &mut Vec<Finding>,
) -> Result<(), StoreError> {
    let Some(head) = store.log_head().await?.filter(|head| head.origin == expected.log_origin) else {
        let what = "the log is not open under the name in the configuration";
        findings.push(Finding::fail("log", what, "check `log_origin`; `porth migrate` opens a new log"));
        return Ok(());
    };
    let (pending, checkpoint) = (store.pending_count().await?, store.newest_checkpoint().await?);
    let signed = checkpoint.as_ref().map_or(0, |(size, _, _)| *size);
    findings.push(if signed == head.size {
        Finding::ok("log head", format!("{} entries, and a checkpoint of all of them", head.size))
    } else {
        let what = format!("{} entries, but the newest checkpoint has {signed}", head.size);
        Finding::fail("log head", what, "stop the sequencer and compare with an export: this should not happen")
    });
    findings.push(sequencer(pending, checkpoint.map(|(_, at, _)| at), now));
    findings.push(remembered(store, expected.state_file).await);
    Ok(())
}

/// The index by which the log is searched is what its entries give.
async fn log_index(store: &Store) -> Result<Finding, StoreError> {
    let check = "log index";
    let found = match check_log_index(store, INDEX_COMPARED).await {
        Ok(found) => found,
        Err(AppError::Store(error)) => return Err(error),
        Err(error) => return Ok(Finding::fail(check, error.to_string(), "verify an export of the log")),
    };
    if found.is_sound() {
        return Ok(Finding::ok(check, format!("its newest {} entries are what the log gives", found.compared)));
    }
    let what = format!(
        "{} of its newest {} entries, and {} lines beyond the log, are not what the log gives: searches mislead",
        found.differing, found.compared, found.beyond
    );
    Ok(Finding::fail(check, what, "find out who wrote to the database, then run `porth log index --rebuild`"))
}

fn sequencer(pending: i64, signed_at: Option<Timestamp>, now: Timestamp) -> Finding {
    if pending == 0 {
        return Finding::ok("sequencer", "no entry waits for its place in the log");
    }
    let next = "is `porth sequence` running? its log says why it does not go on";
    let Some(at) = signed_at else {
        return Finding::fail("sequencer", format!("{pending} entries wait, and there was never a checkpoint"), next);
    };
    let age = now.as_seconds() - at.as_seconds();
    let what = format!("{pending} entries wait; the last checkpoint is {age} s old");
    if age <= LAG_WARN_S {
        Finding::ok("sequencer", what)
    } else if age <= LAG_FAIL_S {
        Finding::warn("sequencer", what, next)
    } else {
        Finding::fail("sequencer", what, next)
    }
}

async fn remembered(store: &Store, path: &Path) -> Finding {
    let check = "log history";
    let held = match held_checkpoint::read(path) {
        Ok(Some(held)) => held,
        Ok(None) => {
            let what = "this machine remembers no checkpoint yet: an older database would not be noticed";
            return Finding::warn(check, what, "`porth serve` remembers one; check `state_file` and who may write it");
        }
        Err(error) => return Finding::fail(check, error.to_string(), "check `state_file` and who may read it"),
    };
    match held_checkpoint::compare(store, Some(&held), path).await {
        Ok(()) => {
            Finding::ok(check, format!("no older than the checkpoint of {} entries that is remembered", held.size))
        }
        Err(HeldError::Store(error)) => unanswered(&error),
        Err(error) => Finding::fail(
            check,
            error.to_string(),
            "the database was taken back: restore a newer backup, and tell the information governance officers",
        ),
    }
}

async fn submissions(store: &Store, programme: &ProgrammeCode, now: Timestamp) -> Result<Finding, StoreError> {
    let Some(oldest) = store.next_staged(programme).await? else {
        return Ok(Finding::ok("submissions", "none waits to be made visible"));
    };
    let age = now.as_seconds() - oldest.received_at.as_seconds();
    let what = format!("the oldest that waits to be made visible came {age} s ago");
    Ok(if age <= WAIT_WARN_S {
        Finding::ok("submissions", what)
    } else {
        Finding::warn("submissions", what, "is a gateway running? its log says why a submission is not made visible")
    })
}

/// Warnings that no officer has decided about.
async fn alerts(store: &Store, now: Timestamp) -> Result<Finding, StoreError> {
    let open = store.open_alerts().await?;
    let Some(oldest) = open.iter().map(|(_, _, opened_at)| *opened_at).min() else {
        return Ok(Finding::ok("alerts", "none is open"));
    };
    let kinds: Vec<String> = open.iter().map(|(kind, count, _)| format!("{count} {kind}")).collect();
    let days = (now.as_seconds() - oldest.as_seconds()).div_euclid(86_400);
    let what = format!("open: {}; the oldest for {days} days", kinds.join(", "));
    Ok(Finding::warn("alerts", what, "an officer looks into them: `porth alerts list`"))
}

/// What reviews asked for and nobody did.
async fn reviews(store: &Store, now: Timestamp) -> Result<Finding, StoreError> {
    let (overdue, waiting) = store.reviews_waiting(now.as_seconds().div_euclid(86_400)).await?;
    let what = format!("{waiting} disclosures wait for a finding, {overdue} actions are overdue");
    Ok(match overdue {
        0 => Finding::ok("reviews", what),
        _ => Finding::warn("reviews", what, "see `porth review list --overdue`"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_and_the_sequencer_are_judged_by_how_far_they_are_off() {
        let at = |seconds: i64| Timestamp::from_micros(seconds * 1_000_000);
        for (difference, health) in [(0, Health::Ok), (2, Health::Ok), (3, Health::Warn), (31, Health::Fail)] {
            assert_eq!(clocks(at(1_000 + difference), at(1_000)).health, health);
            assert_eq!(clocks(at(1_000 - difference), at(1_000)).health, health);
        }
        let lag = |pending, age: i64| sequencer(pending, Some(at(1_000)), at(1_000 + age)).health;
        assert_eq!(
            [lag(0, 9_999), lag(3, 60), lag(3, 61), lag(3, 601)],
            [Health::Ok, Health::Ok, Health::Warn, Health::Fail]
        );
        assert_eq!(sequencer(1, None, at(0)).health, Health::Fail);
        assert!(sequencer(1, None, at(0)).next.is_some(), "what is not well says what to do");
    }
}
