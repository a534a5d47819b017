//! `porth reid request`: the data team asks. What it asked stays on its machine, and nothing else is
//! opened there later.

use std::path::PathBuf;

use clap::Args;
use serde::{Deserialize, Serialize};

use super::folder::Folder;
use super::{Gateway, Place, words};
use crate::app::reidentification::NewReidentification;
use crate::cli::agency::connection::now;
use crate::cli::agency::enquire::parse_relationship;
use crate::cli::agency::key_file::AgencyKeyFile;
use crate::cli::output::{Failure, Output};
use crate::crypto::random::{SystemRandom, random_bytes, uuid_v7};
use crate::domain::ids::{AgencyCode, AgreementRef, PowerCode, PurposeCode, RoleCode};
use crate::domain::programme::Relationship;
use crate::domain::reidentification::binding;
use crate::domain::reidentification::request::CanonicalRequest;
use crate::domain::reidentification::{Field, Handling};
use crate::domain::tfid::Tfid;
use crate::domain::token::encode_base64url;
use crate::web::api::reidentifications::ReidentificationView;

/// Arguments of `porth reid request`.
#[derive(Debug, Args)]
pub(super) struct RequestArgs {
    #[command(flatten)]
    place: Place,
    /// The data team's key file, which makes references of cases and users
    #[arg(long, short)]
    keys: PathBuf,
    /// A file that holds the family's number, and on a second line the person's handle if one is meant
    #[arg(long, value_name = "FILE")]
    family_file: PathBuf,
    /// Which agency is asked
    #[arg(long)]
    source: AgencyCode,
    /// The agreement whose re-identification term allows it
    #[arg(long)]
    agreement: AgreementRef,
    /// What for
    #[arg(long)]
    purpose: PurposeCode,
    /// On which statute, such as CA2004-s10
    #[arg(long)]
    power: PowerCode,
    /// Why this family now: `open_case`, referral, screening, `statutory_enquiry` or emergency
    #[arg(long, value_parser = parse_relationship)]
    relationship: Relationship,
    /// The role in which the asking person acts
    #[arg(long)]
    role: RoleCode,
    /// What is asked for, and no more: names, `date_of_birth`, address, contact, `case_reference`
    #[arg(long, value_delimiter = ',', required = true)]
    fields: Vec<Field>,
    /// Why this person, in 20 to 500 characters without anything that names anybody
    #[arg(long)]
    reason: String,
    /// The piece of work; leaves as a keyed reference only
    #[arg(long)]
    case: String,
    /// The user name of the person who asks; leaves as a keyed reference only
    #[arg(long)]
    user: String,
    /// For how many hours it may wait
    #[arg(long, default_value_t = 24)]
    hours: u32,
    /// An emergency: two signatures, one of them the source's, within four hours, reviewed the same day
    #[arg(long)]
    emergency: bool,
}

/// What was asked, kept beside the keys.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    /// The canonical text.
    pub(super) request: String,
    /// The family.
    pub(super) family: String,
    /// The person's handle.
    pub(super) person: Option<String>,
}

pub(super) fn run(args: &RequestArgs, output: Output) -> Result<(), Failure> {
    let folder = Folder(&args.place.folder);
    let (_, card) = folder.recipient()?;
    let keys = AgencyKeyFile::read(&args.keys).map_err(Failure::unusable)?;
    let text = std::fs::read_to_string(&args.family_file)
        .map_err(|error| Failure::failed(format!("{}: {error}", args.family_file.display())))?;
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let family = Tfid::parse(lines.next().unwrap_or_default()).map_err(Failure::failed)?;
    let person = lines.next().map(str::to_owned);
    let random = SystemRandom::new();
    let nonce: [u8; 32] = random_bytes(&random);
    let new = NewReidentification {
        agreement: args.agreement.clone(),
        source: args.source.clone(),
        family,
        person: person.clone(),
        nonce: encode_base64url(&nonce),
        purpose: args.purpose.clone(),
        power: args.power.clone(),
        relationship: args.relationship,
        role: args.role.clone(),
        case: keys.reference().case(args.case.trim()),
        user: keys.reference().user(args.user.trim()),
        fields: args.fields.clone(),
        reason: args.reason.clone(),
        recipient: card.key_id.clone(),
        hours: if args.emergency { args.hours.min(Handling::Emergency.longest_hours()) } else { args.hours },
        handling: if args.emergency { Handling::Emergency } else { Handling::Ordinary },
    };
    let mut gateway = Gateway::connect(&args.place.connection)?;
    let key = uuid_v7(now(), &random).to_string();
    let view: ReidentificationView = gateway.post_with("/v1/reidentifications", Some(key), &new)?;
    let text = view.request.clone().unwrap_or_default();
    let not_ours = || Failure::faulty("reid.request-altered: the gateway made another request than was asked");
    let request = CanonicalRequest::parse(&text).map_err(|_| not_ours())?;
    // What officers will sign must be what was asked here, the key that it is sealed to among it.
    let is_ours = request.subject == binding::subject(&nonce, &family, person.as_deref())
        && request.requester == card.agency
        && request.agreement == new.agreement
        && request.purpose == new.purpose
        && request.power == new.power
        && request.role == new.role
        && request.source == new.source
        && request.reason == new.reason
        && request.recipient.key_id == card.key_id
        && card.seal_key.is_some_and(|key| {
            crate::crypto::seal::SealPublicKey::from_bytes(&key)
                .is_ok_and(|key| key.to_text() == request.recipient.seal_key)
        })
        && request.user == new.user
        && request.fields.iter().all(|field| new.fields.contains(field))
        && request.handling == new.handling;
    if !is_ours {
        return Err(not_ours());
    }
    folder.keep(request.id, "asked", &Asked { request: text, family: family.to_text(), person })?;
    output.result(
        format_args!("{}\n\nAsked and logged; officers and the source may vote.", words::request(&request)),
        &view,
    );
    Ok(())
}
