//! `porth agency enrol --request`: an agency's joining request is checked, its certificate signed, its
//! system registered, and one reply written, in this order. Nothing is registered if any step fails.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;

use super::EnrolArgs;
use crate::app::enrol::Enrolment;
use crate::app::policies::hex;
use crate::cli::agency::join::fingerprint::Fingerprint;
use crate::cli::agency::join::reply::{JoinReply, Place};
use crate::cli::agency::join::request::JoinRequest;
use crate::cli::operator::keys::{self, files};
use crate::cli::operator::{app_failure, with_gateway};
use crate::cli::output::{Failure, Output};
use crate::config::Config;
use crate::crypto::certs::{Validity, summarise};
use crate::crypto::random::SystemRandom;
use crate::domain::ids::TokenType;
use crate::runtime::machine_time;

/// What enrolment by a joining request needs.
#[derive(Debug, Args)]
pub(super) struct ByRequest {
    /// The agency's joining request: checks it, signs the certificate, enrols, writes the reply
    #[arg(long, value_name = "FILE", requires_all = ["fingerprint", "authority", "gateway", "reply"],
          conflicts_with_all = ["agency", "certificate", "client", "key"])]
    request: Option<PathBuf>,
    /// The request's fingerprint, as the agency reads it out on the telephone
    #[arg(long, value_name = "DIGITS", requires = "request")]
    fingerprint: Option<Fingerprint>,
    /// Folder of the issuing authority
    #[arg(long, value_name = "DIR", requires = "request")]
    authority: Option<PathBuf>,
    /// The gateway's address as agencies reach it, such as https://gateway.example:8443
    #[arg(long, value_name = "ADDRESS", requires = "request")]
    gateway: Option<String>,
    /// Where the reply is written
    #[arg(long, value_name = "FILE", requires = "request")]
    reply: Option<PathBuf>,
    /// Days until the certificate ends
    #[arg(long, default_value_t = keys::LEAF_DAYS, requires = "request", value_parser = clap::value_parser!(u32).range(1..=825))]
    days: u32,
}

impl ByRequest {
    /// The parts, if this is the way that was chosen; the parser asks for all of them together.
    pub(super) fn parts(&self) -> Option<Parts<'_>> {
        Some(Parts {
            request: self.request.as_deref()?,
            fingerprint: self.fingerprint?,
            authority: self.authority.as_deref()?,
            gateway: self.gateway.as_deref()?,
            reply: self.reply.as_deref()?,
            days: self.days,
        })
    }
}

/// [`ByRequest`] with everything in place.
pub(super) struct Parts<'a> {
    request: &'a Path,
    fingerprint: Fingerprint,
    authority: &'a Path,
    gateway: &'a str,
    reply: &'a Path,
    days: u32,
}

/// Enrols an agency from its request.
pub(super) fn by_request(args: &EnrolArgs, parts: &Parts<'_>, output: Output) -> Result<(), Failure> {
    let config = args.config.read()?;
    let request: JoinRequest = files::read_public_json(parts.request, "an agency's joining request")?;
    let proved = request.prove().map_err(|fault| {
        Failure::failed(format!("{}: {fault}", parts.request.display()))
            .next("ask the agency for a new request: `porth join request`")
    })?;
    if request.fingerprint() != parts.fingerprint {
        return Err(Failure::failed("the fingerprint that was read out is not that of the request")
            .next("ask the agency again, by another channel than the one that brought the file"));
    }
    if request.programme != config.programme {
        return Err(Failure::failed("the request is for another programme than this gateway's"));
    }
    if !parts.gateway.starts_with("https://") {
        return Err(Failure::failed("--gateway is written https://host:port, as agencies reach it"));
    }
    let authority = keys::open_authority(parts.authority)?;
    let validity = Validity::days(machine_time(), parts.days);
    let issued = authority
        .client(&request.certificate_request, &request.agency, validity, &SystemRandom::new())
        .map_err(|error| Failure::failed(format!("{}: {error}", parts.request.display())))?;
    let certificate = summarise(&issued.der).map_err(Failure::failed)?;
    let enrolment = Enrolment {
        agency: request.agency.clone(),
        client: request.client.clone(),
        kid: proved.assertion_key.thumbprint(),
        key: proved.assertion_key,
        certificate: certificate.fingerprint,
        not_after: certificate.validity.until,
    };
    let place = Place {
        gateway: parts.gateway.trim_end_matches('/').to_owned(),
        issuer: config.issuer.clone(),
        root: gateway_root(&config)?.unwrap_or_else(|| authority.certificate().pem.clone()),
    };
    let mut reply =
        JoinReply::new(request.programme.clone(), request.agency.clone(), request.client.clone(), issued.pem, place);
    crate::cli::block_on(with_gateway(&config, async |gateway| {
        let policies = gateway.current_policies().await.map_err(app_failure)?;
        policies.match_keys_sha256_hex().clone_into(&mut reply.match_keys);
        reply.token_types = policies.granted_types(&request.agency);
        let checks = gateway.store().key_checks(&config.programme).await;
        for check in checks.map_err(crate::cli::operator::store_failure)? {
            if check.norm == policies.norm() && reply.token_types.contains(&check.token_type) {
                let of_epoch: &mut BTreeMap<TokenType, String> = reply.key_checks.entry(check.epoch).or_default();
                of_epoch.insert(check.token_type, hex(&check.value));
            }
        }
        // Written before anything is registered: a certificate that nobody has would bar a second try.
        files::write_public_json(parts.reply, &reply)?;
        let done = gateway.enrol_with_sealing_key(&enrolment, Some(&proved.sealing_key), &args.by).await;
        done.map_err(|error| {
            let _ = std::fs::remove_file(parts.reply); // it says what did not happen
            app_failure(error)
        })
    }))?;
    let types: Vec<&str> = reply.token_types.iter().map(TokenType::as_str).collect();
    let value = serde_json::json!({
        "agency": request.agency, "client": request.client, "assertion_key_id": enrolment.kid,
        "certificate_sha256": hex(&certificate.fingerprint), "sealing_key": proved.sealing_key.key_id(),
        "reply": parts.reply, "reply_fingerprint": reply.fingerprint().to_string(), "token_types": types,
    });
    output.result(
        format_args!(
            "Enrolled {} with the system {}; wrote {}.\nAssertion key id: {}\nCertificate until {}\n\
             Reply fingerprint: {}\nIts agreements give it {} token type(s): {}",
            request.agency,
            request.client,
            parts.reply.display(),
            enrolment.kid,
            certificate.validity.until.date(),
            reply.fingerprint(),
            types.len(),
            types.join(",")
        ),
        &value,
    );
    output.note(
        "Send the reply to the agency. Its linkage keys come from the key custodian, sealed: `porth keys grant`, with \
         the same request file.",
    );
    Ok(())
}

/// The certificates of who signed the gateway's own certificate, where it comes with its chain.
fn gateway_root(config: &Config) -> Result<Option<String>, Failure> {
    const END: &str = "-----END CERTIFICATE-----";
    let text = crate::cli::operator::read_text(&config.tls.certificate)?;
    let mut parts = text.split_inclusive(END).filter(|part| part.contains("BEGIN CERTIFICATE"));
    parts.next();
    let chain = parts.fold(String::new(), |chain, part| chain + part.trim() + "\n");
    Ok((!chain.is_empty()).then_some(chain))
}
