//! `porth policy request`, `approve` and `requests`: an agreement comes into force by two officers.

use clap::Args;

use crate::app::activate::{APPROVALS, Activation};
use crate::cli::operator::{ConfigFile, app_failure, store_failure, with_gateway};
use crate::cli::output::{Failure, Output};
use crate::domain::ids::AgreementRef;

/// Arguments of `porth policy request`.
#[derive(Debug, Args)]
pub(super) struct RequestArgs {
    #[command(flatten)]
    config: ConfigFile,
    /// Which agreement and version, such as early-help-core/v1
    #[arg(value_name = "AGREEMENT")]
    agreement: AgreementRef,
    /// Your account, for the log; never a person's name
    #[arg(long)]
    by: String,
    /// Why, as a code for the log, such as board:2026-03-12
    #[arg(long, required_unless_present = "withdraw")]
    reason: Option<String>,
    /// Take the request back instead
    #[arg(long)]
    withdraw: bool,
}

/// Arguments of `porth policy approve`.
#[derive(Debug, Args)]
pub(super) struct ApproveArgs {
    #[command(flatten)]
    config: ConfigFile,
    /// Which agreement and version, such as early-help-core/v1
    #[arg(value_name = "AGREEMENT")]
    agreement: AgreementRef,
    /// Your account, for the log; never a person's name
    #[arg(long)]
    by: String,
}

/// Arguments of `porth policy requests`.
#[derive(Debug, Args)]
pub(super) struct RequestsArgs {
    #[command(flatten)]
    config: ConfigFile,
}

/// Asks, or takes the request back.
pub(super) fn request(args: &RequestArgs, output: Output) -> Result<(), Failure> {
    let config = args.config.read()?;
    let (agreement, by) = (&args.agreement, &args.by);
    crate::cli::block_on(with_gateway(&config, async |gateway| {
        if args.withdraw {
            return gateway.withdraw_activation(agreement, by).await.map_err(app_failure);
        }
        let reason = args.reason.as_deref().unwrap_or_default();
        gateway.request_activation(agreement, by, reason).await.map_err(app_failure)
    }))?;
    let (word, text) = if args.withdraw {
        ("withdrawn", format!("Nobody asks for {agreement} any more."))
    } else {
        (
            "asked",
            format!(
                "{agreement} waits for {APPROVALS} officers: `porth policy approve`, each under their own account."
            ),
        )
    };
    output.result(text, &serde_json::json!({ "agreement": agreement, "request": word }));
    Ok(())
}

/// Approves.
pub(super) fn approve(args: &ApproveArgs, output: Output) -> Result<(), Failure> {
    let config = args.config.read()?;
    let agreement = &args.agreement;
    let came_to = crate::cli::block_on(with_gateway(&config, async |gateway| {
        gateway.approve_activation(agreement, &args.by).await.map_err(app_failure)
    }))?;
    match came_to {
        Activation::Waiting => output.result(
            format_args!("Approved. Another officer has to approve {agreement}."),
            &serde_json::json!({ "agreement": agreement, "status": "waiting" }),
        ),
        Activation::InForce { replaced } => {
            let ended = replaced.as_ref().map(|earlier| format!(" {earlier}, which it replaces, has ended."));
            output.result(
                format_args!("{agreement} is in_force.{}", ended.unwrap_or_default()),
                &serde_json::json!({ "agreement": agreement, "status": "in_force", "replaced": replaced }),
            );
        }
    }
    Ok(())
}

/// Lists what waits.
pub(super) fn requests(args: &RequestsArgs, output: Output) -> Result<(), Failure> {
    let config = args.config.read()?;
    let waiting = crate::cli::block_on(with_gateway(&config, async |gateway| {
        let mut waiting = Vec::new();
        for request in gateway.store().activation_requests().await.map_err(store_failure)? {
            let approved = gateway.store().activation_approvals(&request.agreement).await.map_err(store_failure)?;
            waiting.push(serde_json::json!({
                "agreement": request.agreement,
                "sha256": crate::app::policies::hex(&request.sha256),
                "requested_by": request.requested_by,
                "requested_at": request.requested_at.to_string(),
                "reason": request.reason,
                "approved_by": approved,
            }));
        }
        Ok(waiting)
    }))?;
    let word = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let line = |request: &serde_json::Value| {
        let approved: Vec<String> = request["approved_by"].as_array().into_iter().flatten().map(word).collect();
        let approved = if approved.is_empty() { "nobody yet".to_owned() } else { approved.join(", ") };
        let [agreement, by, at] = ["agreement", "requested_by", "requested_at"].map(|key| word(&request[key]));
        format!("{agreement}: asked by {by} at {at}; approved by {approved}")
    };
    let text = if waiting.is_empty() {
        "Nothing waits.".to_owned()
    } else {
        waiting.iter().map(line).collect::<Vec<_>>().join("\n")
    };
    output.result(text, &waiting);
    Ok(())
}
