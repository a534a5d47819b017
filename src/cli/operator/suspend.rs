//! `porth suspend` and `porth resume`: one command stops somebody or something from the next request on.

use std::path::Path;

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::agency::summary_of;
use super::{ConfigFile, app_failure, with_gateway};
use crate::app::suspend::Suspendable;
use crate::cli::output::{Failure, Output};

/// Arguments of `porth suspend` and `porth resume`.
#[derive(Debug, Args)]
pub struct SuspendArgs {
    /// What kind of thing
    #[arg(value_enum)]
    kind: Kind,
    /// Its name: a code; agency/feed; client/key-id; an agreement such as early-help-core/v1; a
    /// certificate's file or SHA-256
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    config: ConfigFile,
    /// Your account, for the log; never a person's name
    #[arg(long, value_parser = crate::cli::typed::code)]
    by: String,
    /// Why, as a code for the log, such as incident:2026-014
    #[arg(long, value_parser = crate::cli::typed::code)]
    reason: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Every system of an agency
    Agency,
    /// A client certificate
    Certificate,
    /// One key of a system's assertions, and the access tokens issued for it
    ClientKey,
    /// One system of an agency
    Client,
    /// A feed: its records contribute to no answer, its submissions are refused
    Feed,
    /// An agreement
    Agreement,
    /// A key that signs agreements: agreements that it signed lack that signature
    Signatory,
}

#[derive(Serialize)]
struct Standing {
    kind: &'static str,
    name: String,
    active: bool,
}

/// Runs `porth suspend`, or `porth resume` when `active`.
///
/// # Errors
///
/// [`Failure`] with what went wrong and what to do next.
pub fn run(args: SuspendArgs, active: bool, output: &Output) -> Result<(), Failure> {
    let config = args.config.read()?;
    let what = read(args.kind, &args.name)?;
    crate::cli::block_on(with_gateway(&config, async |gateway| {
        gateway.set_standing(&what, active, &args.by, &args.reason).await.map_err(app_failure)
    }))?;
    let standing = Standing { kind: what.kind(), name: what.name(), active };
    let word = if active { "active" } else { "suspended" };
    output.result(format_args!("{} {} is {word} from the next request on.", standing.kind, standing.name), &standing);
    if let Suspendable::Feed(..) = what
        && !active
    {
        output.note("Shields that came with the feed still hold.");
    }
    Ok(())
}

fn read(kind: Kind, name: &str) -> Result<Suspendable, Failure> {
    let malformed = |what: &str| Failure::failed(format!("the name is not {what}"));
    Ok(match kind {
        Kind::Agency => Suspendable::Agency(name.parse().map_err(|_| malformed("an agency's code"))?),
        Kind::Agreement => {
            Suspendable::Agreement(name.parse().map_err(|_| malformed("an agreement and version, such as core/v1"))?)
        }
        Kind::Client => Suspendable::Client(name.to_owned()),
        Kind::Signatory => Suspendable::Signatory(name.to_owned()),
        Kind::ClientKey => {
            let (client, kid) = name.rsplit_once('/').ok_or_else(|| malformed("client/key-id"))?;
            Suspendable::ClientKey { client: client.to_owned(), kid: kid.to_owned() }
        }
        Kind::Feed => {
            let feed = || {
                let (agency, feed) = name.split_once('/')?;
                Some(Suspendable::Feed(agency.parse().ok()?, feed.parse().ok()?))
            };
            feed().ok_or_else(|| malformed("agency/feed"))?
        }
        Kind::Certificate => match sha256_of(name) {
            Some(sha256) => Suspendable::Certificate(sha256),
            None => Suspendable::Certificate(summary_of(Path::new(name))?.fingerprint),
        },
    })
}

/// A fingerprint of 64 hexadecimal characters.
fn sha256_of(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut sha256 = [0; 32];
    for (place, byte) in sha256.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * place..2 * place + 2], 16).ok()?;
    }
    Some(sha256)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_by_their_kind() {
        let fingerprint = "ab".repeat(32);
        assert_eq!(read(Kind::Certificate, &fingerprint).unwrap(), Suspendable::Certificate([0xab; 32]));
        assert_eq!(read(Kind::Feed, "housing/tenancies").unwrap().name(), "housing/tenancies");
        let key = read(Kind::ClientKey, "housing/batch/AbC-_9").unwrap();
        assert_eq!(key, Suspendable::ClientKey { client: "housing/batch".to_owned(), kid: "AbC-_9".to_owned() });
        for (kind, wrong) in [(Kind::Feed, "housing"), (Kind::ClientKey, "housing"), (Kind::Agreement, "core")] {
            assert!(read(kind, wrong).is_err(), "{wrong}");
        }
    }
}
