//! `porth sandbox`: a gateway on this machine that a new agency practises on. Keys of its own, SQLite,
//! invented people; other agencies' feeds are delivered, the newcomer's lies there as an export.
//!
//! Its certificates are stamped for development and its configuration says `pilot`: a gateway in
//! production mode starts with none of it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command as Process, Output as ProcessOutput};

use clap::{Args, Subcommand, value_parser};
use serde_json::Value;
use tokio::signal::unix::{SignalKind, signal};

use super::partner::Partner;
use super::policy_files;
use super::population::{AgencyFile, FamilyId, HEARTH_CHECKS, Options, PersonId, Population};
use super::trouble::{Trouble, trouble};
use super::workshop::{PROGRAMME, Workshop, write};
use crate::cli::agency::join::request::JoinRequest;
use crate::cli::operator::keys::files;
use crate::cli::output::{Failure, Output};
use crate::domain::ids::AgencyCode;
use crate::domain::programme::Programme;
use crate::identity::UK_MATCH_KEYS;

/// The agency that practises.
const NEWCOMER: &str = "hearth";
/// The agency whose key custodian hands keys over in the sandbox.
const CUSTODIAN: &str = "childrens-social-care";
/// Days that a certificate of the sandbox lasts.
const DAYS: &str = "6";
const GATEWAY: &str = "gateway";
const EXPORTS: &str = "exports";
/// Where the last enrolment's key fingerprint is written: what a custodian would read out.
const FINGERPRINT: &str = "fingerprint.txt";
const README: &str = "SANDBOX: every person in these files is invented, and every key is worth nothing.\n\
    Never put a real person's data in here, and never use these keys elsewhere.\n";

/// Arguments of `porth sandbox`.
#[derive(Debug, Args)]
pub struct SandboxArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start a practice gateway on this machine, with invented people, until Ctrl-C
    Start(StartArgs),
    /// Play operator and key custodian: enrol an agency's request, and seal the keys to it
    Enrol(EnrolArgs),
}

#[derive(Debug, Args)]
struct StartArgs {
    /// A new folder for the sandbox
    #[arg(long, value_name = "DIR", default_value = "porth-sandbox")]
    folder: PathBuf,
    /// The port to listen on; 0 takes a free one
    #[arg(long, default_value_t = 8443)]
    port: u16,
    /// The seed of the invented people
    #[arg(long, default_value_t = 2016)]
    seed: u64,
    /// How many families the other agencies deliver
    #[arg(long, default_value_t = 60, value_parser = value_parser!(u16).range(10..=1900))]
    families: u16,
}

#[derive(Debug, Args)]
struct EnrolArgs {
    /// The sandbox's folder
    #[arg(long, value_name = "DIR", default_value = "porth-sandbox")]
    folder: PathBuf,
    /// The agency's joining request
    #[arg(long, value_name = "FILE")]
    request: PathBuf,
    /// Where the reply is written
    #[arg(long, value_name = "FILE")]
    reply: PathBuf,
}

/// Runs `porth sandbox`.
///
/// # Errors
///
/// [`Failure`] with what went wrong and what to do next.
pub fn run(args: SandboxArgs, output: &Output) -> Result<(), Failure> {
    match args.command {
        Command::Enrol(args) => enrol(&args, *output),
        Command::Start(args) => {
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
            let runtime =
                runtime.map_err(|error| Failure::failed(format_args!("the runtime did not start: {error}")))?;
            runtime.block_on(start(&args, *output))
        }
    }
}

async fn start(args: &StartArgs, output: Output) -> Result<(), Failure> {
    let folder = args.folder.as_path();
    if folder.exists() {
        return Err(Failure::failed(format!("{} is there already", folder.display()))
            .next("remove it if it is an old sandbox, or choose another folder: a sandbox is always made anew"));
    }
    files::make_folder(&folder.join(GATEWAY))?;
    files::make_folder(&folder.join(EXPORTS))?;
    write(folder, "SANDBOX.txt", README)?;
    // Listened for from the start, so that a half-made sandbox ends in good order too.
    let mut terminate = signal(SignalKind::terminate()).map_err(trouble("signals"))?;
    let ended = tokio::select! {
        opened = open(args, folder, output) => Ok(opened?),
        _ = tokio::signal::ctrl_c() => Err("Ctrl-C"),
        _ = terminate.recv() => Err("SIGTERM"),
    };
    let Ok(workshop) = ended else { return Err(Failure::failed("the sandbox was stopped before it was ready")) };
    let address = address(&workshop);
    let value = serde_json::json!({ "sandbox": folder, "address": address });
    output.result(format_args!("SANDBOX with invented people, ready at {address}; Ctrl-C ends it."), &value);
    tokio::select! {
        _ = tokio::signal::ctrl_c() => (),
        _ = terminate.recv() => (),
    }
    workshop.running.stop().await;
    Ok(())
}

async fn open(args: &StartArgs, folder: &Path, output: Output) -> Result<Workshop, Trouble> {
    let home = folder.join(GATEWAY);
    let workshop = Workshop::open_at(&home, args.port).await?;
    output.note(format_args!("a gateway with keys of its own listens at {}", address(&workshop)));
    write(&home, "address.txt", &address(&workshop))?;
    write(&home, "match-keys.toml", UK_MATCH_KEYS)?;
    let authority = home.join("authority");
    files::make_folder(&authority).map_err(|failure| Trouble::new("the authority", failure.message()))?;
    write(&authority, "authority.pem", &workshop.authority.certificate().pem)?;
    files::write_private(&authority.join("authority.key"), workshop.authority.key_pem().as_bytes())
        .map_err(|failure| Trouble::new("the authority", failure.message()))?;
    workshop.linkage.write(&home.join("linkage-epoch-1.json")).map_err(trouble("the linkage key"))?;
    {
        // The custodian joins like everybody: there is no other way in.
        let (home, custodian) = (home.clone(), home.join("custodian"));
        let joined = tokio::task::spawn_blocking(move || custodian_joins(&home, &custodian)).await;
        joined.map_err(trouble("the custodian"))?.map_err(trouble("the custodian"))?;
    }

    let programme = Programme::parse(policy_files::PROGRAMME).map_err(trouble("the programme"))?;
    let today = workshop.now().await?.date();
    let options = Options { seed: args.seed, background_people: 1_000, ..Options::new(today) };
    let population = Population::generate(&programme, options);
    let files = population.files();
    let (referred, _) = referral(&population, &files).ok_or_else(|| Trouble::new("the people", "nobody fits"))?;
    let people = chosen(&population, &files, usize::from(args.families), referred);

    let exports = folder.join(EXPORTS);
    for (place, mut file) in files.into_iter().enumerate() {
        file.rows.retain(|row| people.contains(&row.person));
        let (agency, feed) = file.name;
        if file.rows.is_empty() {
            continue;
        }
        export(&exports, &format!("{agency}-{feed}"), &file)?;
        if agency != NEWCOMER {
            let partner = Partner::enrol(&workshop, &home.join(format!("partner-{place}")), agency).await?;
            let batch = partner.tokenise(&file, feed).await?;
            let id = partner.submit(&batch).await?;
            let (taken, _) = partner.wait_visible(&id).await?;
            output.note(format_args!("{agency}/{feed}: {taken} records of invented people delivered"));
        }
    }
    let referrals = population.referrals(NEWCOMER, &[referred]);
    export(&exports, "referral", &referrals.ok_or_else(|| Trouble::new("the referral", "no form"))?)?;
    Ok(workshop)
}

fn address(workshop: &Workshop) -> String {
    format!("https://localhost:{}", workshop.running.agencies.port())
}

fn export(folder: &Path, name: &str, file: &AgencyFile) -> Result<(), Trouble> {
    let csv = file.to_csv().map_err(trouble("an export"))?;
    std::fs::write(folder.join(format!("{name}.csv")), csv).map_err(trouble("an export"))?;
    let mapping = format!("# SANDBOX: of invented people.\n{}", file.mapping(PROGRAMME));
    write(folder, &format!("{name}.toml"), &mapping)
}

/// The people of the first families, of those that the newcomer knows, and of the one that is referred.
fn chosen(population: &Population, files: &[AgencyFile], families: usize, referred: PersonId) -> BTreeSet<PersonId> {
    let newcomers = files.iter().filter(|file| file.name.0 == NEWCOMER).flat_map(|file| &file.rows);
    let known: BTreeSet<PersonId> = newcomers.map(|row| row.person).chain([referred]).collect();
    let is_known = |family: &FamilyId| population.families[family.0].members.iter().any(|one| known.contains(one));
    let first = population.cohort().take(families);
    let others = (0..population.families.len()).map(FamilyId).filter(is_known);
    first.chain(others).flat_map(|family| population.families[family.0].members.clone()).collect()
}

/// Somebody whose family the newcomer may hear is eligible, and whom all who know them write alike: a
/// first enquiry should not be a lesson in typing errors.
fn referral(population: &Population, files: &[AgencyFile]) -> Option<(PersonId, FamilyId)> {
    let suppliers: Vec<&AgencyFile> =
        files.iter().filter(|file| HEARTH_CHECKS.iter().any(|(agency, _)| *agency == file.name.0)).collect();
    population.cohort().find_map(|family| {
        let subject = population.families[family.0].subject;
        let members = &population.families[family.0].members;
        let is_plain =
            members.iter().all(|one| !population.is_shielded(*one) && population.families_of(*one).len() == 1);
        if !is_plain || !population.expected_eligible(family, subject, NEWCOMER, &HEARTH_CHECKS) {
            return None;
        }
        let form = population.referrals(NEWCOMER, &[subject])?;
        let asked = &form.rows.first()?.identity;
        let mut rows = suppliers.iter().flat_map(|file| &file.rows).filter(|row| members.contains(&row.person));
        let alike = rows.try_fold(0, |count: usize, row| {
            let known = &row.identity;
            let at_home = !known.uprn.is_empty() && known.uprn == asked.uprn;
            let is_subject = row.person == subject;
            let same_person =
                known.forename == asked.forename && known.surname == asked.surname && known.born == asked.born;
            let is_alike = at_home && (!is_subject || same_person);
            is_alike.then_some(count + usize::from(is_subject))
        })?;
        (alike >= 1).then_some((subject, family))
    })
}

fn custodian_joins(home: &Path, folder: &Path) -> Result<(), String> {
    let reply = home.join("custodian-reply.json");
    let request = porth(
        &["join", "request", "--agency", CUSTODIAN, "--programme", PROGRAMME, "--client", "custodian", "--folder"],
        &[folder],
    )?;
    let fingerprint = request["fingerprint"].as_str().unwrap_or_default().to_owned();
    agency_enrol(home, &folder.join("request.json"), &reply, &fingerprint)?;
    porth(&["join", "finish", "--folder"], &[folder, Path::new("--reply"), &reply]).map(drop)
}

fn agency_enrol(home: &Path, request: &Path, reply: &Path, fingerprint: &str) -> Result<Value, String> {
    let gateway = std::fs::read_to_string(home.join("address.txt")).map_err(|error| error.to_string())?;
    porth(
        &[
            "agency",
            "enrol",
            "--by",
            "sandbox",
            "--days",
            DAYS,
            "--fingerprint",
            fingerprint,
            "--gateway",
            &gateway,
            "--config",
        ],
        &[
            &home.join("porth.toml"),
            Path::new("--authority"),
            &home.join("authority"),
            Path::new("--request"),
            request,
            Path::new("--reply"),
            reply,
        ],
    )
}

/// Does in one step what takes an operator, a key custodian and two telephone calls.
fn enrol(args: &EnrolArgs, output: Output) -> Result<(), Failure> {
    let home = args.folder.join(GATEWAY);
    if !args.folder.join("SANDBOX.txt").exists() || !home.join("address.txt").exists() {
        return Err(Failure::failed(format!("{} is not a sandbox that runs", args.folder.display()))
            .next("`porth sandbox start` makes one; outside a sandbox, operator and custodian are two people"));
    }
    let request: JoinRequest = files::read_public_json(&args.request, "an agency's joining request")?;
    let agency: AgencyCode = request.agency.clone();
    let fingerprint = request.fingerprint().to_string();
    agency_enrol(&home, &args.request, &args.reply, &fingerprint).map_err(Failure::failed)?;
    let granted = porth(
        &["keys", "grant", "--all-types", "--agency", agency.as_str(), "--fingerprint", &fingerprint, "--request"],
        &[
            &args.request,
            Path::new("--linkage"),
            &home.join("linkage-epoch-1.json"),
            Path::new("--match-keys"),
            &home.join("match-keys.toml"),
            Path::new("--connection"),
            &home.join("custodian").join("connection.toml"),
        ],
    )
    .map_err(Failure::failed)?;
    let keys = granted["fingerprint"].as_str().unwrap_or_default();
    files::replace_public(&args.folder.join(FINGERPRINT), format!("{keys}\n").as_bytes())?;
    let value = serde_json::json!({ "agency": agency, "reply": args.reply, "fingerprint": keys });
    output.result(
        format_args!("SANDBOX: enrolled {agency}; wrote {}.\nThe custodian reads out: {keys}", args.reply.display()),
        &value,
    );
    Ok(())
}

/// Runs this program once more, as another person would; gives its result.
fn porth(words: &[&str], paths: &[&Path]) -> Result<Value, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let ran: ProcessOutput =
        Process::new(program).arg("--json").args(words).args(paths).output().map_err(|error| error.to_string())?;
    if !ran.status.success() {
        let said: Value = serde_json::from_slice(&ran.stderr).unwrap_or_default();
        let error =
            said["error"].as_str().map_or_else(|| String::from_utf8_lossy(&ran.stderr).into_owned(), ToOwned::to_owned);
        return Err(format!("porth {}: {error}", words.first().unwrap_or(&"")));
    }
    serde_json::from_slice(&ran.stdout).map_err(|error| error.to_string())
}
