//! Policies come into use: load, keep signatures, change status. Each is in the log.

use std::collections::BTreeSet;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::{Args, ValueEnum};

use super::check::{refuse_faulty, text_of};
use super::files::PolicyFolder;
use super::sign::SignatureFile;
use crate::app::load_policy::PartySignature;
use crate::cli::operator::keys::read_public_json;
use crate::cli::operator::{ConfigFile, app_failure, with_gateway};
use crate::cli::output::{Failure, Output};
use crate::domain::ids::{AgencyCode, AgreementRef};
use crate::tlog::entry::AgreementState;

/// Arguments of `porth policy load`.
#[derive(Debug, Args)]
pub(super) struct LoadArgs {
    #[command(flatten)]
    config: ConfigFile,
    /// The folder of the policy files
    #[arg(long, value_name = "DIR", default_value = "policies")]
    folder: PathBuf,
    /// Your account, for the log; never a person's name
    #[arg(long)]
    by: String,
}

/// Arguments of `porth policy add-signature`.
#[derive(Debug, Args)]
pub(super) struct AddSignatureArgs {
    #[command(flatten)]
    config: ConfigFile,
    /// The `.sig` file; several may be given
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
}

/// Arguments of `porth policy status`.
#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    #[command(flatten)]
    config: ConfigFile,
    /// Which agreement and version, such as early-help-core/v1
    #[arg(value_name = "AGREEMENT")]
    agreement: AgreementRef,
    /// Its new status
    #[arg(value_enum)]
    to: Status,
    /// Your account, for the log; never a person's name
    #[arg(long)]
    by: String,
    /// Why, as a code for the log, such as board:2026-03-12
    #[arg(long)]
    reason: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Status {
    /// Every party has signed
    Signed,
    /// Stopped for a time
    Suspended,
    /// Ended by a party
    Withdrawn,
}

impl Status {
    fn state(self) -> AgreementState {
        match self {
            Self::Signed => AgreementState::Signed,
            Self::Suspended => AgreementState::Suspended,
            Self::Withdrawn => AgreementState::Withdrawn,
        }
    }
    fn word(self) -> &'static str {
        match self {
            Self::Signed => "signed",
            Self::Suspended => "suspended",
            Self::Withdrawn => "withdrawn",
        }
    }
}

/// Loads a folder that the check finds nothing wrong with.
pub(super) fn load(args: &LoadArgs, output: Output) -> Result<(), Failure> {
    let config = args.config.read()?;
    let folder = PolicyFolder::read(&args.folder)?;
    let report = folder.check();
    if !report.is_clean() {
        output.note(text_of(&report));
    }
    refuse_faulty(&report)?;
    let files = folder.into_loaded();
    crate::cli::block_on(with_gateway(&config, async |gateway| {
        gateway.load_policies(&files, &args.by).await.map_err(app_failure)
    }))?;
    output.result(
        format_args!("Loaded {} agencies and {} agreements.", report.agencies, report.agreements),
        &serde_json::json!({ "agencies": report.agencies, "agreements": report.agreements }),
    );
    Ok(())
}

/// Keeps signatures.
pub(super) fn add_signature(args: &AddSignatureArgs, output: Output) -> Result<(), Failure> {
    let config = args.config.read()?;
    let mut signatures = Vec::new();
    for path in &args.files {
        let file: SignatureFile = read_public_json(path, "a signature file")?;
        let signature = URL_SAFE_NO_PAD
            .decode(&file.signature)
            .map_err(|_| Failure::failed(format!("{}: the signature is not base64url", path.display())))?;
        signatures.push((path, PartySignature { agreement: file.agreement, key_id: file.key_id, signature }));
    }
    let unsigned = crate::cli::block_on(with_gateway(&config, async |gateway| {
        let mut agreements = BTreeSet::new();
        for (path, signature) in &signatures {
            gateway
                .sign_agreement(signature)
                .await
                .map_err(app_failure)
                .map_err(|failure| failure.about(path.display()))?;
            agreements.insert(signature.agreement.clone());
        }
        let policies = gateway.current_policies().await.map_err(app_failure)?;
        let missing = |reference: AgreementRef| {
            let agreement = policies.book().agreement(&reference)?;
            let parties = agreement.text.parties().iter().map(|party| party.agency.clone());
            let missing: Vec<AgencyCode> = parties.filter(|party| !agreement.signed_by.contains(party)).collect();
            Some((reference, missing))
        };
        Ok(agreements.into_iter().filter_map(missing).collect::<Vec<_>>())
    }))?;
    let line = |(reference, missing): &(AgreementRef, Vec<AgencyCode>)| {
        if missing.is_empty() {
            return format!("{reference}: every party has signed.");
        }
        let names: Vec<&str> = missing.iter().map(AgencyCode::as_str).collect();
        format!("{reference}: still to sign: {}.", names.join(", "))
    };
    let value: serde_json::Map<String, serde_json::Value> = unsigned
        .iter()
        .map(|(reference, missing)| (reference.to_string(), serde_json::json!({ "still_to_sign": missing })))
        .collect();
    output.result(unsigned.iter().map(line).collect::<Vec<_>>().join("\n"), &value);
    Ok(())
}

/// Changes the status.
pub(super) fn set(args: &StatusArgs, output: Output) -> Result<(), Failure> {
    let config = args.config.read()?;
    crate::cli::block_on(with_gateway(&config, async |gateway| {
        if args.to == Status::Signed {
            let policies = gateway.current_policies().await.map_err(app_failure)?;
            if let Some(agreement) = policies.book().agreement(&args.agreement) {
                let parties = agreement.text.parties().iter().map(|party| &party.agency);
                let missing: Vec<&str> =
                    parties.filter(|party| !agreement.signed_by.contains(*party)).map(AgencyCode::as_str).collect();
                if !missing.is_empty() {
                    return Err(Failure::failed(format!("{} is not signed by {}", args.agreement, missing.join(", ")))
                        .next("keep their signatures first: `porth policy add-signature`"));
                }
            }
        }
        gateway
            .set_agreement_status(&args.agreement, args.to.state(), &args.by, &args.reason)
            .await
            .map_err(app_failure)
    }))?;
    let value = serde_json::json!({ "agreement": args.agreement, "status": args.to.word() });
    output.result(format_args!("{} is {}.", args.agreement, args.to.word()), &value);
    Ok(())
}
