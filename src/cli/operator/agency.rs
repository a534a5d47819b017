//! `porth agency`: who may connect, and who may sign.

mod enrol;
mod reid;
mod revoke;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::keys::{self, KeyChecksFile, SignatoryCard, read_public_json, write_public};
use super::{ConfigFile, app_failure, read_text, start_failure, store_failure, with_gateway};
use crate::app::enrol::Enrolment;
use crate::app::policies::{NORM, hex};
use crate::cli::output::{Failure, Output};
use crate::crypto::certs::{CertificateSummary, Validity, der_of_pem, summarise};
use crate::crypto::jwt::PublicKey;
use crate::crypto::random::SystemRandom;
use crate::domain::account::Account;
use crate::domain::ids::{AgencyCode, TokenType};
use crate::domain::time::Timestamp;
use crate::runtime::{machine_time, open_database};
use crate::store::TestToken;

/// Arguments of `porth agency`.
#[derive(Debug, Args)]
pub struct AgencyArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Issue a client certificate for an agency's request
    Certify(CertifyArgs),
    /// Enrol an agency's system: its certificate and the key of its assertions
    Enrol(EnrolArgs),
    /// Suspend an agency from the next request on
    Suspend(StandingArgs),
    /// End an agency's suspension
    Resume(StandingArgs),
    /// Revoke a certificate from the next request on
    RevokeCertificate(RevokeArgs),
    /// Revoke a system's assertion key: it gets no access token with it any more
    RevokeKey(revoke::KeyArgs),
    /// Revoke a signatory's key: what it signed no longer counts; two people do it together
    RevokeSignatory(revoke::SignatoryArgs),
    /// List the agencies that are enrolled
    List(ConfigFile),
    /// Register an epoch's key checks, from the key custodian's file
    RegisterKeyChecks(KeyChecksArgs),
    /// Enrol a key that may sign agreements for an agency; two people do it together
    EnrolSignatory(SignatoryArgs),
    /// Enrol a key of an officer or of the data team for re-identification; two people do it together
    EnrolReidKey(reid::EnrolArgs),
    /// Revoke such a key: what it signed counts no longer where nothing was released; two people do it together
    RevokeReidKey(reid::RevokeArgs),
}

#[derive(Debug, Args)]
struct CertifyArgs {
    /// Folder of the issuing authority
    #[arg(long, value_name = "DIR")]
    authority: PathBuf,
    /// Which agency; its name in the certificate is ours to choose, not the request's
    #[arg(long)]
    agency: AgencyCode,
    /// The agency's certificate request
    #[arg(long, value_name = "FILE")]
    request: PathBuf,
    /// Where the certificate is written
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Days until it ends
    #[arg(long, default_value_t = keys::LEAF_DAYS, value_parser = clap::value_parser!(u32).range(1..=825))]
    days: u32,
}

#[derive(Debug, Args)]
struct EnrolArgs {
    #[command(flatten)]
    config: ConfigFile,
    #[command(flatten)]
    by_request: enrol::ByRequest,
    /// Which agency; its file must be loaded
    #[arg(long, required_unless_present = "request")]
    agency: Option<AgencyCode>,
    /// Its client certificate
    #[arg(long, value_name = "FILE", required_unless_present = "request")]
    certificate: Option<PathBuf>,
    /// Id of its system, as its assertions name it
    #[arg(long, required_unless_present = "request")]
    client: Option<String>,
    /// The public key of its assertions, as a JWK
    #[arg(long, value_name = "FILE", required_unless_present = "request")]
    key: Option<PathBuf>,
    /// Your account, for the log; never a person's name
    #[arg(long, value_parser = crate::cli::typed::code)]
    by: String,
}

#[derive(Debug, Args)]
struct StandingArgs {
    #[command(flatten)]
    config: ConfigFile,
    /// Which agency
    #[arg(long)]
    agency: AgencyCode,
    /// Your account, for the log; never a person's name
    #[arg(long, value_parser = crate::cli::typed::code)]
    by: String,
    /// Why, as a code for the log, such as incident:2026-014
    #[arg(long, value_parser = crate::cli::typed::code)]
    reason: String,
}

#[derive(Debug, Args)]
struct RevokeArgs {
    #[command(flatten)]
    config: ConfigFile,
    /// The certificate
    #[arg(long, value_name = "FILE")]
    certificate: PathBuf,
    /// Your account, for the log; never a person's name
    #[arg(long, value_parser = crate::cli::typed::code)]
    by: String,
    /// Why, as a code for the log, such as key-lost
    #[arg(long, value_parser = crate::cli::typed::code)]
    reason: String,
}

#[derive(Debug, Args)]
struct KeyChecksArgs {
    #[command(flatten)]
    config: ConfigFile,
    /// The custodian's file of key checks
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Your account, for the log; never a person's name
    #[arg(long, value_parser = crate::cli::typed::code)]
    by: String,
}

#[derive(Debug, Args)]
struct SignatoryArgs {
    #[command(flatten)]
    config: ConfigFile,
    /// The signatory's public file, signatory.json
    #[arg(long, value_name = "FILE")]
    card: PathBuf,
    /// The key id as the signatory read it out; it must be the file's
    #[arg(long)]
    key_id: String,
    /// The first person's account, for the log
    #[arg(long, value_parser = crate::cli::typed::code)]
    by: String,
    /// The second person's account, for the log
    #[arg(long)]
    confirmed_by: String,
}

#[derive(Serialize)]
struct Certificate {
    agency: AgencyCode,
    sha256: String,
    valid_until: Timestamp,
}

#[derive(Serialize)]
struct Listed {
    agency: AgencyCode,
    active: bool,
}

/// Runs `porth agency`.
///
/// # Errors
///
/// [`Failure`] with what went wrong and what to do next.
pub fn run(args: AgencyArgs, output: &Output) -> Result<(), Failure> {
    match args.command {
        Command::Certify(args) => certify(&args, *output),
        Command::Enrol(args) => enrol(&args, *output),
        Command::Suspend(args) => set_active(&args, false, *output),
        Command::Resume(args) => set_active(&args, true, *output),
        Command::RevokeCertificate(args) => revoke(&args, *output),
        Command::RevokeKey(args) => revoke::key(&args, *output),
        Command::RevokeSignatory(args) => revoke::signatory(&args, *output),
        Command::List(config) => list(&config, *output),
        Command::RegisterKeyChecks(args) => register_key_checks(&args, *output),
        Command::EnrolSignatory(args) => enrol_signatory(&args, *output),
        Command::EnrolReidKey(args) => reid::enrol(&args, *output),
        Command::RevokeReidKey(args) => reid::revoke(&args, *output),
    }
}

fn certify(args: &CertifyArgs, output: Output) -> Result<(), Failure> {
    let authority = keys::open_authority(&args.authority)?;
    let request = read_text(&args.request)?;
    let validity = Validity::days(machine_time(), args.days);
    let issued = authority.client(&request, &args.agency, validity, &SystemRandom::new()).map_err(|error| {
        Failure::failed(format!("{}: {error}", args.request.display()))
            .next("ask the agency for a new request: `porth keys init --for agency`")
    })?;
    write_public(&args.out, issued.pem.as_bytes())?;
    let summary = summarise(&issued.der).map_err(Failure::failed)?;
    let certificate = Certificate {
        agency: args.agency.clone(),
        sha256: hex(&summary.fingerprint),
        valid_until: summary.validity.until,
    };
    output.result(
        format_args!(
            "Wrote {} for {}, good until {}.\nSHA-256: {}",
            args.out.display(),
            certificate.agency,
            certificate.valid_until.date(),
            certificate.sha256
        ),
        &certificate,
    );
    Ok(())
}

fn enrol(args: &EnrolArgs, output: Output) -> Result<(), Failure> {
    if let Some(parts) = args.by_request.parts() {
        return enrol::by_request(args, &parts, output);
    }
    let (Some(agency), Some(certificate), Some(client), Some(key_file)) =
        (&args.agency, &args.certificate, &args.client, &args.key)
    else {
        return Err(Failure::failed("--agency, --certificate, --client and --key are needed, or --request"));
    };
    let config = args.config.read()?;
    let certificate = summary_of(certificate)?;
    let key = PublicKey::from_jwk(&read_text(key_file)?)
        .map_err(|error| Failure::failed(format!("{}: {error}", key_file.display())))?;
    let enrolment = Enrolment {
        agency: agency.clone(),
        client: client.clone(),
        kid: key.thumbprint(),
        key,
        certificate: certificate.fingerprint,
        not_after: certificate.validity.until,
    };
    crate::cli::block_on(with_gateway(&config, async |gateway| {
        gateway.enrol(&enrolment, &args.by).await.map_err(app_failure)
    }))?;
    let value = serde_json::json!({
        "agency": agency,
        "client": client,
        "assertion_key_id": enrolment.kid,
        "certificate_sha256": hex(&certificate.fingerprint),
    });
    let text = format!(
        "Enrolled {} with the system {}.\nAssertion key id: {}\nCertificate until {}",
        agency,
        client,
        enrolment.kid,
        certificate.validity.until.date()
    );
    output.result(text, &value);
    Ok(())
}

fn set_active(args: &StandingArgs, active: bool, output: Output) -> Result<(), Failure> {
    let config = args.config.read()?;
    crate::cli::block_on(with_gateway(&config, async |gateway| {
        gateway.set_agency_active(&args.agency, active, &args.by, &args.reason).await.map_err(app_failure)
    }))?;
    let word = if active { "active" } else { "suspended" };
    let listed = Listed { agency: args.agency.clone(), active };
    output.result(format_args!("{} is {word} from the next request on.", args.agency), &listed);
    Ok(())
}

fn revoke(args: &RevokeArgs, output: Output) -> Result<(), Failure> {
    let config = args.config.read()?;
    let sha256 = summary_of(&args.certificate)?.fingerprint;
    crate::cli::block_on(with_gateway(&config, async |gateway| {
        gateway.revoke_certificate(&sha256, &args.by, &args.reason).await.map_err(app_failure)
    }))?;
    let value = serde_json::json!({ "certificate_sha256": hex(&sha256), "revoked": true });
    output.result(format_args!("Revoked {} from the next request on.", hex(&sha256)), &value);
    output.note("Put it on the next revocation list too: `porth keys revocation-list --revoke`.");
    Ok(())
}

fn list(config: &ConfigFile, output: Output) -> Result<(), Failure> {
    let config = config.read()?;
    let agencies = crate::cli::block_on(async {
        let store = open_database(&config).await.map_err(start_failure)?;
        store.check_schema().await.map_err(store_failure)?;
        let agencies = store.agencies().await.map_err(store_failure)?;
        store.close().await;
        Ok(agencies)
    })?;
    let agencies: Vec<Listed> = agencies.into_iter().map(|(agency, active)| Listed { agency, active }).collect();
    let line = |listed: &Listed| {
        format!("{:<32} {}", listed.agency.as_str(), if listed.active { "active" } else { "suspended" })
    };
    output.result(agencies.iter().map(line).collect::<Vec<_>>().join("\n"), &agencies);
    Ok(())
}

fn register_key_checks(args: &KeyChecksArgs, output: Output) -> Result<(), Failure> {
    let config = args.config.read()?;
    let file: KeyChecksFile = read_public_json(&args.file, "a file of key checks")?;
    if file.programme != config.programme || file.norm != NORM {
        return Err(Failure::failed("the key checks are of another programme or normalisation than this gateway's"));
    }
    let checks = file.key_checks.iter().map(|(token_type, text)| Some((token_type.clone(), from_hex(text)?)));
    let checks: Vec<(TokenType, [u8; 8])> = checks.collect::<Option<_>>().ok_or_else(|| {
        Failure::failed(format!("{}: a key check has 16 hexadecimal characters", args.file.display()))
    })?;
    let tests = file.test_tokens.iter().map(|(token_type, text)| {
        let digest: [u8; 32] = from_hex(text)?;
        Some(TestToken { epoch: file.epoch, token_type: token_type.clone(), digest })
    });
    let tests: Vec<TestToken> = tests.collect::<Option<_>>().ok_or_else(|| {
        Failure::failed(format!("{}: a hash of test tokens has 64 hexadecimal characters", args.file.display()))
    })?;
    let differing = crate::cli::block_on(with_gateway(&config, async |gateway| {
        gateway.register_key_checks(file.epoch, &checks, &tests, &args.by).await.map_err(app_failure)
    }))?;
    if !differing.is_empty() {
        let names: Vec<&str> = differing.iter().map(TokenType::as_str).collect();
        return Err(Failure::failed(format!(
            "epoch {} has other key checks registered for {}; nothing was changed",
            file.epoch,
            names.join(", ")
        ))
        .next("somebody made a second linkage key for this epoch: ask the key custodians which one is right"));
    }
    let value = serde_json::json!({ "epoch": file.epoch, "types": checks.len() });
    output.result(format_args!("Registered epoch {} for {} token types.", file.epoch, checks.len()), &value);
    Ok(())
}

fn enrol_signatory(args: &SignatoryArgs, output: Output) -> Result<(), Failure> {
    if Account::of(&args.by).is(&args.confirmed_by) {
        return Err(Failure::failed("a signatory is enrolled by two people: --by and --confirmed-by must differ"));
    }
    let config = args.config.read()?;
    let card: SignatoryCard = read_public_json(&args.card, "a signatory's public file")?;
    let key = card.key().filter(|_| card.key_id == args.key_id).ok_or_else(|| {
        Failure::failed("the key id that was read out is not that of the key in the file")
            .next("ask the signatory again, by another channel than the one that brought the file")
    })?;
    let both = format!("{}:{}", args.by, args.confirmed_by);
    crate::cli::block_on(with_gateway(&config, async |gateway| {
        gateway.enrol_signatory(&card.key_id, &card.agency, &key, &both).await.map_err(app_failure)
    }))?;
    let value = serde_json::json!({ "agency": card.agency, "key_id": card.key_id });
    output.result(format_args!("{} may sign agreements for {}.", card.key_id, card.agency), &value);
    Ok(())
}

pub(super) fn summary_of(path: &std::path::Path) -> Result<CertificateSummary, Failure> {
    let refused = |_| Failure::failed(format!("{} does not hold a certificate", path.display()));
    der_of_pem(&read_text(path)?).and_then(|der| summarise(&der)).map_err(refused)
}

fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    if text.len() != 2 * N || !text.is_ascii() {
        return None;
    }
    for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        let digit = |at: usize| char::from(digits[at]).to_digit(16);
        *byte = u8::try_from(digit(0)? << 4 | digit(1)?).ok()?;
    }
    Some(bytes)
}
