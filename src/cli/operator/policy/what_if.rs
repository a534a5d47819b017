//! `porth policy what-if`: what another programme file would change for the present families, in counts.

use std::path::PathBuf;

use clap::Args;
use serde_json::Value;

use crate::app::preview::NewPreview;
use crate::cli::agency::connection::{Connection, failure, now};
use crate::cli::agency::key_file::AgencyKeyFile;
use crate::cli::output::{Failure, Output};
use crate::crypto::random::{SystemRandom, uuid_v7};
use crate::domain::ids::{AgreementRef, PurposeCode, RoleCode};
use crate::domain::programme::Relationship;

/// Arguments of `porth policy what-if`.
#[derive(Debug, Args)]
pub(super) struct WhatIfArgs {
    /// The connection file: where the gateway is and how to prove who we are
    #[arg(long, short)]
    connection: PathBuf,
    /// The agency's key file, which makes the reference of the person who asks
    #[arg(long, short)]
    keys: PathBuf,
    /// The other programme file
    #[arg(long, value_name = "FILE")]
    programme: PathBuf,
    /// The agreement that lets the agency count, such as programme-delivery/v1
    #[arg(long)]
    agreement: AgreementRef,
    /// A purpose of statistics
    #[arg(long, default_value = "statistics")]
    purpose: PurposeCode,
    /// The role in which the asking person acts
    #[arg(long)]
    role: RoleCode,
    /// The user name of the person who asks; leaves as a keyed reference only
    #[arg(long)]
    user: String,
}

/// Asks the gateway and prints the counts.
pub(super) fn run(args: &WhatIfArgs, output: Output) -> Result<(), Failure> {
    let programme_file = std::fs::read_to_string(&args.programme)
        .map_err(|error| Failure::failed(format!("{}: {error}", args.programme.display())))?;
    let keys = AgencyKeyFile::read(&args.keys).map_err(Failure::unusable)?;
    let new = NewPreview {
        agreement: args.agreement.clone(),
        purpose: args.purpose.clone(),
        relationship: Relationship::Screening,
        role: args.role.clone(),
        user: keys.reference().user(args.user.trim()),
        programme_file,
    };
    let mut session = Connection::read(&args.connection)?.open()?;
    let answer: Value = crate::cli::block_on(async {
        let headers = session.headers(Some(uuid_v7(now(), &SystemRandom::new()).to_string())).await?;
        let answer = session.client().post_json("/v1/policy/preview", &headers, &new).await;
        answer.map_err(|error| failure(&error))?.json().map_err(|error| failure(&error))
    })?;
    output.result(say(&answer["counts"]), &answer);
    Ok(())
}

fn say(counts: &Value) -> String {
    let count = |value: &Value| value.as_u64().map_or_else(|| "fewer than 5".to_owned(), |count| count.to_string());
    let mut lines = vec![
        format!("Families judged: {}", count(&counts["families"])),
        format!("Would become eligible: {}", count(&counts["would_become_eligible"])),
        format!("Would cease to be eligible: {}", count(&counts["would_cease"])),
    ];
    for area in counts["areas"].as_array().into_iter().flatten() {
        let code = area["area"].as_str().unwrap_or("?");
        let (meet, cease) = (count(&area["would_meet"]), count(&area["would_cease"]));
        lines.push(format!("  Area {code}: {meet} would meet it, {cease} would cease to"));
    }
    lines.join("\n")
}
