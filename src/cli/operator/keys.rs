//! `porth keys`: making and checking keys, each on the machine of whoever holds them.

mod check;
mod custodian;
pub(crate) mod files;
mod gateway;
mod grant;
mod issuing;
mod linkage;
mod match_run;
mod partners;
mod rewrap;
mod rotate;

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::ConfigFile;
use crate::cli::output::{Failure, Output};
use crate::domain::ids::{AgencyCode, ProgrammeCode};

pub(super) use self::custodian::KeyChecksFile;
pub(super) use self::files::read_public_json;
pub(in crate::cli) use self::files::{write_private, write_public};
pub(super) use self::issuing::{LEAF_DAYS, open_authority};
pub(in crate::cli) use self::match_run::read_pair as read_match_run_pair;
pub(in crate::cli) use self::partners::read_signing_key;
pub(super) use self::partners::{SignatoryCard, signatory_key_id};

/// Arguments of `porth keys`.
#[derive(Debug, Args)]
pub struct KeysArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make keys; never overwrites any
    Init(InitArgs),
    /// List every reason why production mode would refuse this configuration
    Check(ConfigFile),
    /// Issue the authority's next revocation list
    RevocationList(issuing::RevocationListArgs),
    /// Write what a key custodian hands to one agency
    Share(custodian::ShareArgs),
    /// Take what the custodian handed over into the agency's key file
    AddShare(custodian::AddShareArgs),
    /// Seal the keys of some token types to an agency and hand them to the gateway, which cannot open them
    Grant(grant::GrantArgs),
    /// Take an epoch that is over out of the agency's key file
    DropEpoch(linkage::DropEpochArgs),
    /// Make, list, freeze and retire epochs of the linkage key
    Linkage(linkage::LinkageArgs),
    /// Make the next version of one of the gateway's or the sequencer's own keys
    Rotate(rotate::RotateArgs),
    /// Take every stored token through the next blinding key
    Restack(rotate::RestackArgs),
    /// Add the next version to a key-encryption key file
    NewKek(rewrap::NewKekArgs),
    /// Wrap every secret and seal every stored field under the current key-encryption key
    Rewrap(rewrap::RewrapArgs),
    /// Take old versions out of the key-encryption key file, once nothing needs them
    RetireKek(rewrap::RewrapArgs),
}

/// Whose keys are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Owner {
    /// The gateway process: blinding, pseudonyms, index, access tokens, receipts, certificates
    Gateway,
    /// The sequencer process: the checkpoint key
    Sequencer,
    /// The authority that issues agencies' and the gateway's certificates
    IssuingAuthority,
    /// The gateway's TLS listener
    Server,
    /// The officers who may open what the log says of restricted people
    Shield,
    /// Whoever runs matches: opens what agencies supply under the privacy profiles B and C. Never the gateway
    MatchRun,
    /// Somebody who signs agreements for an agency
    Signatory,
    /// An agency's key custodian: the linkage key. Never the gateway's operator or the data team
    Custodian,
    /// An agency's system: TLS, assertions, record references
    Agency,
}

#[derive(Debug, Args)]
struct InitArgs {
    /// Whose keys
    #[arg(long = "for", value_enum, value_name = "WHO")]
    owner: Owner,
    /// Folder for the keys; made if need be
    #[arg(long, value_name = "DIR")]
    folder: PathBuf,
    /// The key-encryption key; made with mode 0400 if it is not there (gateway, sequencer)
    #[arg(long, value_name = "FILE", required_if_eq_any([("owner", "gateway"), ("owner", "sequencer")]))]
    kek_file: Option<PathBuf>,
    /// The agency that the keys are for (signatory, agency)
    #[arg(long, required_if_eq_any([("owner", "signatory"), ("owner", "agency")]))]
    agency: Option<AgencyCode>,
    /// The programme that the keys are for (custodian, agency)
    #[arg(long, required_if_eq_any([("owner", "custodian"), ("owner", "agency")]))]
    programme: Option<ProgrammeCode>,
    /// The epoch of the linkage key, from 1 (custodian)
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..), required_if_eq("owner", "custodian"))]
    epoch: Option<u32>,
    /// The programme's match-keys file, for the key checks (custodian)
    #[arg(long, value_name = "FILE", required_if_eq("owner", "custodian"))]
    match_keys: Option<PathBuf>,
    /// A DNS name or address of the gateway; repeat for several (server)
    #[arg(long = "name", value_name = "NAME", required_if_eq("owner", "server"))]
    names: Vec<String>,
    /// Folder of the authority that issues the certificate (server)
    #[arg(long, value_name = "DIR", required_if_eq("owner", "server"))]
    authority: Option<PathBuf>,
    /// Days until a certificate ends; 397 for servers, 3650 for authorities unless given
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=7300))]
    days: Option<u32>,
    /// Days until the first revocation list lapses (issuing-authority)
    #[arg(long, default_value_t = issuing::LIST_DAYS, value_parser = clap::value_parser!(u32).range(1..=366))]
    list_days: u32,
    /// Stamp certificates as made for development; production refuses them (issuing-authority)
    #[arg(long)]
    development: bool,
}

/// Runs `porth keys`.
///
/// # Errors
///
/// [`Failure`] with what went wrong and what to do next.
pub fn run(args: KeysArgs, output: &Output) -> Result<(), Failure> {
    match args.command {
        Command::Init(args) => init(args, *output),
        Command::Check(config) => check::run(&config, *output),
        Command::RevocationList(args) => issuing::revocation_list(&args, *output),
        Command::Share(args) => custodian::share(&args, *output),
        Command::AddShare(args) => custodian::add_share(&args, *output),
        Command::Grant(args) => grant::run(&args, *output),
        Command::DropEpoch(args) => linkage::drop_epoch(&args, *output),
        Command::Linkage(args) => linkage::run(&args, *output),
        Command::Rotate(args) => rotate::run(&args, *output),
        Command::Restack(args) => rotate::restack(&args, *output),
        Command::NewKek(args) => rewrap::new_kek(&args, *output),
        Command::Rewrap(args) => rewrap::rewrap(&args, *output),
        Command::RetireKek(args) => rewrap::retire_kek(&args, *output),
    }
}

fn init(args: InitArgs, output: Output) -> Result<(), Failure> {
    let folder = args.folder.as_path();
    match args.owner {
        Owner::Gateway => gateway::init_gateway(folder, &needed(args.kek_file, "--kek-file")?, output),
        Owner::Sequencer => gateway::init_sequencer(folder, &needed(args.kek_file, "--kek-file")?, output),
        Owner::IssuingAuthority => issuing::init_authority(
            folder,
            args.days.unwrap_or(issuing::AUTHORITY_DAYS),
            args.list_days,
            args.development,
            output,
        ),
        Owner::Server => {
            let authority = needed(args.authority, "--authority")?;
            issuing::init_server(folder, &authority, &args.names, args.days.unwrap_or(issuing::LEAF_DAYS), output)
        }
        Owner::Shield => partners::init_shield(folder, output),
        Owner::MatchRun => match_run::init(folder, output),
        Owner::Signatory => partners::init_signatory(folder, &needed(args.agency, "--agency")?, output),
        Owner::Agency => {
            let programme = needed(args.programme, "--programme")?;
            partners::init_agency(folder, &needed(args.agency, "--agency")?, &programme, output)
        }
        Owner::Custodian => custodian::init(
            folder,
            &needed(args.programme, "--programme")?,
            needed(args.epoch, "--epoch")?,
            &needed(args.match_keys, "--match-keys")?,
            output,
        ),
    }
}

/// An argument that this owner needs; the parser asks for it first.
fn needed<T>(value: Option<T>, name: &str) -> Result<T, Failure> {
    value.ok_or_else(|| Failure::failed(format!("{name} is missing")))
}
