//! The command line: `porth`.
//!
//! Results go to standard output (`--json` for machines), everything else to standard error.

pub mod agency;
pub mod auditor;
pub mod data_team;
pub mod doctor;
pub mod officer;
pub mod operator;
pub mod output;
pub mod shell;
pub mod subject;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use self::output::{Failure, Output};

/// Share what the law and a signed agreement allow, without telling who the family is.
#[derive(Debug, Parser)]
#[command(name = "porth", version, propagate_version = true)]
struct Cli {
    /// Print results as JSON.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Bench {
    /// How well people and families are found, and how often two people are taken for one
    Linkage(crate::demo::population::society::LinkageArgs),
    /// How long the matching of several agencies' records takes, from sorted column files
    Run(crate::demo::bulk::RunArgs),
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Play the whole programme on this machine with invented people
    Demo(crate::demo::DemoArgs),
    /// Practise on this machine, with invented people
    Sandbox(crate::demo::sandbox::SandboxArgs),
    /// Join a programme: make this agency's keys, and fetch what was sealed for it
    Join(agency::join::JoinArgs),
    /// Say what works and what does not, and what to do next
    Doctor(doctor::DoctorArgs),
    /// Turn a file of people into a file of tokens, on the agency's own machine
    Tokenise(agency::tokenise::TokeniseArgs),
    /// Show the gateway that this machine makes the programme's tokens
    CheckTokens(agency::check_tokens::CheckTokensArgs),
    /// Send a tokenised file to the gateway and follow it until it is visible
    Submit(agency::submit::SubmitArgs),
    /// Show what became of the files that the agency sent, or take one back
    Submissions(agency::submissions::SubmissionsArgs),
    /// Show which of the agency's feeds are due or late
    Feeds(agency::feeds::FeedsArgs),
    /// Ask the gateway about a person
    Enquire(agency::enquire::EnquireArgs),
    /// Ask the gateway about every person of a tokenised file
    Screen(agency::screen::ScreenArgs),
    /// Verify records of the agency's own that may be of one person with others
    PossibleMatches(agency::possible_matches::PossibleMatchesArgs),
    /// Show what the agency has to know about answers that it received, and acknowledge it
    Notices(agency::notices::NoticesArgs),
    /// Show which records the agency itself restricts, and note when to look at them again
    Shields(agency::shields::ShieldsArgs),
    /// Recall a wrong match or delivery: find and tell everybody who received it
    Recall(officer::recall::RecallArgs),
    /// Record, assess, decide and close incidents, with their 72-hour clock
    Incident(officer::incident::IncidentArgs),
    /// Review emergency enquiries
    Emergency(officer::emergency::EmergencyArgs),
    /// Record a decision not to share
    NotToShare(officer::not_to_share::NotToShareArgs),
    /// Answer a match run's list of households, as a benefits agency
    HouseholdList(agency::household_list::HouseholdListArgs),
    /// Decide about records of the agency's own after a match run
    Validations(agency::validations::ValidationsArgs),
    /// Run the gateway
    Serve(operator::serve::ServeArgs),
    /// Sequence and sign the log, as a user of its own
    Sequence(operator::sequence::SequenceArgs),
    /// Bring the database's schema up to this version
    Migrate(operator::migrate::MigrateArgs),
    /// Stop an agency, certificate, client, key, feed, agreement or signatory from the next request on
    Suspend(operator::suspend::SuspendArgs),
    /// End a suspension
    Resume(operator::suspend::SuspendArgs),
    /// Write the whole database into one file, while the gateway serves
    Backup(operator::backup::BackupArgs),
    /// Make a database of either engine from a backup
    Restore(operator::restore::RestoreArgs),
    /// Make and look after keys
    Keys(operator::keys::KeysArgs),
    /// Enrol, suspend and list agencies
    Agency(operator::agency::AgencyArgs),
    /// Check, sign, load and explain agreements and rules
    Policy(operator::policy::PolicyArgs),
    /// Export, verify, search and explain the disclosure log
    Log(auditor::log::LogArgs),
    /// Draw disclosures for review, judge them, and read what was found
    Review(officer::review::ReviewArgs),
    /// Look into warnings about what was asked and how
    Alerts(officer::alerts::AlertsArgs),
    /// Use the rights of a person whose identity was verified; answer for records of the agency's own
    Subject(Box<subject::SubjectArgs>),
    /// Delete what was kept long enough, and freeze deletion
    Retention(operator::retention::RetentionArgs),
    /// Watch the log from outside: cosign what goes on, keep evidence of what does not
    Witness(auditor::witness::WitnessArgs),
    /// Record that a family is engaged, check a claim for a result, verify its bundle offline
    Claim(data_team::claim::ClaimArgs),
    /// Take a referral in, and step by step to where it ends
    Referral(data_team::referral::ReferralArgs),
    /// Look up, decide about and follow families, as the programme team
    Families(data_team::families::FamiliesArgs),
    /// Find families that meet criteria in enough areas, in stages
    MatchRun(data_team::match_run::MatchRunArgs),
    /// Learn what agreement of field tokens is worth, put it into effect, take it back (privacy profile B)
    Weights(data_team::weights::WeightsArgs),
    /// Compare fuzzy encodings after everything else, put it into effect, take it back (privacy profile C)
    Fuzzy(data_team::fuzzy::FuzzyArgs),
    /// Compare links with the truth of a public test set
    Evaluate(data_team::evaluate::EvaluateArgs),
    /// Get tables of counts that give nobody away
    Statistics(data_team::statistics::StatisticsArgs),
    /// Measure on this machine, with invented people
    #[command(subcommand)]
    Bench(Bench),
    /// Print completions for a shell
    Completions(shell::CompletionsArgs),
    /// Write manual pages into a folder
    Man(shell::ManArgs),
}

/// Runs the command line and says how it went.
///
/// Exit codes: 0 done; 1 failed; 2 wrong usage; 3 the gateway refused; 4 a verification found
/// faults; 78 the configuration or a key is refused.
pub fn run() -> ExitCode {
    crate::crypto::jwt::install();
    let cli = Cli::parse();
    let output = Output::new(cli.json);
    let result = match cli.command {
        Command::Demo(args) => crate::demo::run(args, &output),
        Command::Sandbox(args) => crate::demo::sandbox::run(args, &output),
        Command::Join(args) => agency::join::run(args, &output),
        Command::Doctor(args) => doctor::run(args, &output),
        Command::Tokenise(args) => agency::tokenise::run(args, &output),
        Command::CheckTokens(args) => agency::check_tokens::run(args, &output),
        Command::Submit(args) => agency::submit::run(args, &output),
        Command::Submissions(args) => agency::submissions::run(args, &output),
        Command::Feeds(args) => agency::feeds::run(args, &output),
        Command::Enquire(args) => agency::enquire::run(args, &output),
        Command::Screen(args) => agency::screen::run(args, &output),
        Command::PossibleMatches(args) => agency::possible_matches::run(args, &output),
        Command::Notices(args) => agency::notices::run(args, &output),
        Command::Shields(args) => agency::shields::run(args, &output),
        Command::Recall(args) => officer::recall::run(args, &output),
        Command::Incident(args) => officer::incident::run(args, &output),
        Command::Emergency(args) => officer::emergency::run(args, &output),
        Command::NotToShare(args) => officer::not_to_share::run(args, &output),
        Command::HouseholdList(args) => agency::household_list::run(args, &output),
        Command::Validations(args) => agency::validations::run(args, &output),
        Command::Serve(args) => operator::serve::run(args, &output),
        Command::Sequence(args) => operator::sequence::run(args, &output),
        Command::Migrate(args) => operator::migrate::run(args, &output),
        Command::Suspend(args) => operator::suspend::run(args, false, &output),
        Command::Resume(args) => operator::suspend::run(args, true, &output),
        Command::Backup(args) => operator::backup::run(args, &output),
        Command::Restore(args) => operator::restore::run(args, &output),
        Command::Keys(args) => operator::keys::run(args, &output),
        Command::Agency(args) => operator::agency::run(args, &output),
        Command::Policy(args) => operator::policy::run(args, &output),
        Command::Log(args) => auditor::log::run(args, &output),
        Command::Review(args) => officer::review::run(args, &output),
        Command::Alerts(args) => officer::alerts::run(args, &output),
        Command::Subject(args) => subject::run(*args, &output),
        Command::Retention(args) => operator::retention::run(args, &output),
        Command::Witness(args) => auditor::witness::run(args, &output),
        Command::Claim(args) => data_team::claim::run(args, &output),
        Command::Referral(args) => data_team::referral::run(args, &output),
        Command::Families(args) => data_team::families::run(args, &output),
        Command::MatchRun(args) => data_team::match_run::run(args, &output),
        Command::Weights(args) => data_team::weights::run(args, &output),
        Command::Fuzzy(args) => data_team::fuzzy::run(args, &output),
        Command::Evaluate(args) => data_team::evaluate::run(args, &output),
        Command::Statistics(args) => data_team::statistics::run(args, &output),
        Command::Bench(Bench::Linkage(args)) => crate::demo::population::society::run(&args, &output),
        Command::Bench(Bench::Run(args)) => crate::demo::bulk::run(&args, &output),
        Command::Completions(args) => shell::completions(&args, Cli::command(), &output),
        Command::Man(args) => shell::man(&args, Cli::command(), &output),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => output.fail(&failure),
    }
}

/// Runs asynchronous work of a command.
fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|error| Failure::failed(format!("the runtime did not start: {error}")))?.block_on(work)
}
