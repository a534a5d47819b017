//! `porth reid key` and `porth reid pin`: own keys, and whose cards are believed.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use zeroize::Zeroizing;

use super::card::read_card;
use crate::app::reidentification::card::ReidCard;
use crate::cli::agency::key_file::AgencyKeyFile;
use crate::cli::operator::keys::files;
use crate::cli::output::{Failure, Output};
use crate::crypto::random::SystemRandom;
use crate::crypto::seal::SealKeyPair;
use crate::crypto::sign::SigningKey;

/// Whose key is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Owner {
    /// Somebody who approves, or refuses
    Officer,
    /// The data team: identities are sealed to it
    Recipient,
}

/// Arguments of `porth reid key`.
#[derive(Debug, Args)]
pub(super) struct KeyArgs {
    /// Whose keys
    #[arg(long = "for", value_enum, value_name = "WHO")]
    owner: Owner,
    /// Folder for the keys; made if need be
    #[arg(long, short, value_name = "DIR")]
    folder: PathBuf,
    /// The agency's key file, which makes references of users
    #[arg(long, short)]
    keys: PathBuf,
    /// An officer: the user name, as in requests of that person; leaves as a keyed reference only
    #[arg(long, required_if_eq("owner", "officer"))]
    user: Option<String>,
}

/// Arguments of `porth reid pin`.
#[derive(Debug, Args)]
pub(super) struct PinArgs {
    /// The card
    card: PathBuf,
    /// The folder with this machine's keys and what it trusts
    #[arg(long, short, value_name = "DIR")]
    folder: PathBuf,
    /// The key id, as the card's owner read it out over another channel
    #[arg(long)]
    key_id: String,
}

pub(super) fn make(args: &KeyArgs, output: Output) -> Result<(), Failure> {
    let keys = AgencyKeyFile::read(&args.keys).map_err(Failure::unusable)?;
    files::make_folder(&args.folder)?;
    let random = SystemRandom::new();
    let key = SigningKey::generate(&random);
    let (name, card) = match (args.owner, &args.user) {
        (Owner::Officer, Some(user)) => {
            files::refuse_existing(&args.folder, &["officer.key", "officer.json"])?;
            let person = keys.reference().user(user.trim());
            ("officer", ReidCard::officer(keys.agency(), person, &key.verifying_key()))
        }
        (Owner::Officer, None) => return Err(Failure::failed("--user is needed")),
        (Owner::Recipient, _) => {
            files::refuse_existing(&args.folder, &["recipient.key", "recipient-seal.key", "recipient.json"])?;
            let pair = SealKeyPair::generate(&random);
            let mut private = Zeroizing::new(String::with_capacity(160));
            private
                .push_str("# Opens identities that sources sealed to the data team: the data team's machine only.\n");
            private.push_str(&pair.secret().expose_hex());
            private.push('\n');
            files::write_private(&args.folder.join("recipient-seal.key"), private.as_bytes())?;
            ("recipient", ReidCard::recipient(keys.agency(), &key.verifying_key(), pair.public()))
        }
    };
    let pem = files::private_key_pem(&key.to_pkcs8());
    files::write_private(&args.folder.join(format!("{name}.key")), pem.as_bytes())?;
    files::write_public_json(&args.folder.join(format!("{name}.json")), &card)?;
    output.result(format_args!("Made {name}.key and {name}.json.\nKey id {}", card.key_id), &card);
    output.note(format_args!(
        "Send {name}.json to the operator and to everybody who has to pin it, and read the key id to them on the telephone."
    ));
    Ok(())
}

pub(super) fn pin(args: &PinArgs, output: Output) -> Result<(), Failure> {
    let (card, _) = read_card(&args.card)?;
    if card.key_id != args.key_id {
        return Err(Failure::failed("the key id that was read out is not that of the card")
            .next("ask its owner again, by another channel than the one that brought the card"));
    }
    let folder = args.folder.join("pinned");
    files::make_folder(&folder)?;
    files::write_public_json(&folder.join(format!("{}.json", card.key_id)), &card)?;
    output.result(format_args!("{} of {} is trusted here.", card.key_id, card.agency), &card);
    Ok(())
}
