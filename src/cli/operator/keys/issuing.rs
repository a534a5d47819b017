//! The issuing authority: its certificate, what it issues to the gateway, and its revocation lists.
//!
//! Its folder holds `authority.pem`, `authority.key`, `revocation-list.pem` and `revoked.json`, the
//! number of the last list and everything on it.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::files;
use crate::app::policies::hex;
use crate::cli::operator::read_text;
use crate::cli::output::{Failure, Output};
use crate::crypto::certs::{CertError, CertificateAuthority, Revoked, Validity, der_of_pem, summarise};
use crate::crypto::random::SystemRandom;
use crate::domain::time::Timestamp;
use crate::runtime::machine_time;

/// Days that an authority's certificate lasts unless said otherwise.
pub(super) const AUTHORITY_DAYS: u32 = 3650;
/// Days that a server's or client's certificate lasts unless said otherwise.
pub(in crate::cli::operator) const LEAF_DAYS: u32 = 397;
/// Days until a revocation list lapses unless said otherwise.
pub(super) const LIST_DAYS: u32 = 30;

const CERTIFICATE: &str = "authority.pem";
const KEY: &str = "authority.key";
const LIST: &str = "revocation-list.pem";
const REVOKED: &str = "revoked.json";

/// Arguments of `porth keys revocation-list`.
#[derive(Debug, Args)]
pub(super) struct RevocationListArgs {
    /// Folder of the authority
    #[arg(long, value_name = "DIR")]
    authority: PathBuf,
    /// A certificate to revoke with this list; repeat for several
    #[arg(long, value_name = "FILE")]
    revoke: Vec<PathBuf>,
    /// Days until the list lapses; issue the next one before
    #[arg(long, default_value_t = LIST_DAYS, value_parser = clap::value_parser!(u32).range(1..=366))]
    days: u32,
}

/// What the authority has revoked so far.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RevokedFile {
    number: u64,
    revoked: Vec<RevokedSerial>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RevokedSerial {
    serial: String,
    at: Timestamp,
}

#[derive(Serialize)]
struct Made {
    folder: String,
    files: Vec<&'static str>,
    sha256: String,
    valid_until: Timestamp,
    development: bool,
}

#[derive(Serialize)]
struct Listed {
    file: String,
    number: u64,
    revoked: usize,
    lapses_at: Timestamp,
}

/// Makes an authority with an empty revocation list.
pub(super) fn init_authority(
    folder: &Path,
    days: u32,
    list_days: u32,
    development: bool,
    output: Output,
) -> Result<(), Failure> {
    files::make_folder(folder)?;
    files::refuse_existing(folder, &[CERTIFICATE, KEY, LIST, REVOKED])?;
    let now = machine_time();
    let validity = Validity::days(now, days);
    // A name of its own, so that lists of two authorities are never taken for one another's.
    let random = SystemRandom::new();
    let mark: [u8; 4] = crate::crypto::random::random_bytes(&random);
    let name = format!("Porth agency authority {}", hex(&mark));
    let authority = CertificateAuthority::create(&name, validity, development, &random).map_err(cert_failure)?;
    files::write_private(&folder.join(KEY), authority.key_pem().as_bytes())?;
    files::write_public(&folder.join(CERTIFICATE), authority.certificate().pem.as_bytes())?;
    write_list(folder, &authority, &RevokedFile { number: 1, revoked: Vec::new() }, now, list_days)?;
    let summary = summarise(&authority.certificate().der).map_err(cert_failure)?;
    let made = Made {
        folder: folder.display().to_string(),
        files: vec![CERTIFICATE, KEY, LIST, REVOKED],
        sha256: hex(&summary.fingerprint),
        valid_until: validity.until,
        development,
    };
    let stamp = if development { ", stamped for development only" } else { "" };
    output.result(
        format_args!(
            "Made an issuing authority in {}{stamp}: {}.\nIts certificate's SHA-256: {}",
            made.folder,
            made.files.join(", "),
            made.sha256
        ),
        &made,
    );
    output.note(format_args!(
        "Keep {KEY} off the gateway's machine. Issue the next revocation list within {list_days} days: a lapsed list \
         keeps every agency out."
    ));
    Ok(())
}

/// Makes the gateway's TLS key and certificate.
pub(super) fn init_server(
    folder: &Path,
    authority: &Path,
    names: &[String],
    days: u32,
    output: Output,
) -> Result<(), Failure> {
    let authority = open_authority(authority)?;
    files::make_folder(folder)?;
    files::refuse_existing(folder, &["server.pem", "server.key"])?;
    let validity = Validity::days(machine_time(), days);
    let issued = authority.server(names, validity, &SystemRandom::new()).map_err(cert_failure)?;
    files::write_private(&folder.join("server.key"), issued.key_pem.as_bytes())?;
    files::write_public(&folder.join("server.pem"), issued.certificate.pem.as_bytes())?;
    let summary = summarise(&issued.certificate.der).map_err(cert_failure)?;
    let made = Made {
        folder: folder.display().to_string(),
        files: vec!["server.pem", "server.key"],
        sha256: hex(&summary.fingerprint),
        valid_until: validity.until,
        development: summary.is_development,
    };
    output.result(
        format_args!("Made server.pem and server.key in {}, good until {}.", made.folder, made.valid_until.date()),
        &made,
    );
    Ok(())
}

/// Issues the authority's next revocation list.
pub(super) fn revocation_list(args: &RevocationListArgs, output: Output) -> Result<(), Failure> {
    let authority = open_authority(&args.authority)?;
    let mut state: RevokedFile = files::read_public_json(&args.authority.join(REVOKED), "a list of what was revoked")?;
    let now = machine_time();
    for path in &args.revoke {
        let der = der_of_pem(&read_text(path)?).map_err(|_| not_a_certificate(path))?;
        let serial = hex(&summarise(&der).map_err(|_| not_a_certificate(path))?.serial);
        if state.revoked.iter().all(|revoked| revoked.serial != serial) {
            state.revoked.push(RevokedSerial { serial, at: now });
        }
    }
    state.number += 1;
    let lapses_at = write_list(&args.authority, &authority, &state, now, args.days)?;
    let listed = Listed {
        file: args.authority.join(LIST).display().to_string(),
        number: state.number,
        revoked: state.revoked.len(),
        lapses_at,
    };
    output.result(
        format_args!(
            "Wrote {}: list {}, {} certificate(s), lapses on {}.",
            listed.file,
            listed.number,
            listed.revoked,
            lapses_at.date()
        ),
        &listed,
    );
    output.note("Copy it to where tls.revocation_lists points; a running gateway picks it up within half a minute.");
    Ok(())
}

/// Reads an authority from its folder.
pub(in crate::cli::operator) fn open_authority(folder: &Path) -> Result<CertificateAuthority, Failure> {
    let certificate = read_text(&folder.join(CERTIFICATE))?;
    let key = Zeroizing::new(read_text(&folder.join(KEY))?);
    CertificateAuthority::from_pem(&certificate, &key)
        .map_err(|error| Failure::unusable(format!("the authority in {}: {error}", folder.display())))
}

fn write_list(
    folder: &Path,
    authority: &CertificateAuthority,
    state: &RevokedFile,
    now: Timestamp,
    days: u32,
) -> Result<Timestamp, Failure> {
    let validity = Validity::days(now, days);
    let revoked: Vec<Revoked> = state.revoked.iter().filter_map(RevokedSerial::for_list).collect();
    if revoked.len() != state.revoked.len() {
        return Err(Failure::failed(format!(
            "{} holds a serial number that is not one",
            folder.join(REVOKED).display()
        )));
    }
    let list =
        authority.revocation_list(state.number, &revoked, validity.from, validity.until).map_err(cert_failure)?;
    let text = serde_json::to_string_pretty(state).map_err(|_| Failure::failed("the list cannot be written"))?;
    // The record first: a list without its record would be forgotten by the next one.
    files::replace_public(&folder.join(REVOKED), format!("{text}\n").as_bytes())?;
    files::replace_public(&folder.join(LIST), list.pem.as_bytes())?;
    Ok(validity.until)
}

impl RevokedSerial {
    fn for_list(&self) -> Option<Revoked> {
        let digits = self.serial.as_bytes();
        let pairs = digits.chunks_exact(2).map(|pair| {
            let pair = std::str::from_utf8(pair).ok()?;
            u8::from_str_radix(pair, 16).ok()
        });
        let serial: Vec<u8> = pairs.collect::<Option<_>>()?;
        (!serial.is_empty() && digits.len().is_multiple_of(2)).then_some(Revoked { serial, at: self.at })
    }
}

fn cert_failure(error: CertError) -> Failure {
    Failure::failed(error)
}

fn not_a_certificate(path: &Path) -> Failure {
    Failure::failed(format!("{} does not hold a certificate", path.display()))
}
