//! `porth reid`: asking who somebody is, approving it, answering and opening, each on the machine of
//! whoever may. What a machine trusts lies in its own folder:
//!
//! | file | what |
//! |---|---|
//! | `trust.toml` | the log's and the gateway's public keys, as `porth log trust` prints them |
//! | `pinned/*.json` | the cards of officers and of the data team, compared over another channel |
//! | `officer.key`, `officer.json` | an officer's own key and card |
//! | `recipient.key`, `recipient-seal.key`, `recipient.json` | the data team's own keys and card |
//! | `requests/` | what was asked, approved, answered and opened here |

mod answer;
mod card;
mod folder;
mod keys;
mod open;
mod people;
mod request;
mod vote;
mod words;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

pub(in crate::cli) use self::card::read_card;

use super::connection::{Connection, Session, failure};
use crate::cli::output::{Failure, Output};
use crate::client::ClientError;
use crate::domain::ids::ReidentificationId;
use crate::domain::reidentification::refusal::Refusal;

/// Arguments of `porth reid`.
#[derive(Debug, Args)]
pub struct ReidArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make an officer's key, or the data team's keys
    Key(keys::KeyArgs),
    /// Trust a card, once its key id was compared over another channel
    Pin(keys::PinArgs),
    /// Ask a source who somebody is, as the data team
    Request(Box<request::RequestArgs>),
    /// List the requests in which this agency has a part
    List(List),
    /// Approve a request with an officer's own key; at the source, beside its own record
    Approve(vote::ApproveArgs),
    /// Refuse a request, which ends it
    Refuse(vote::RefuseArgs),
    /// Take an approval back, or, as the data team, the request
    Withdraw(vote::WithdrawArgs),
    /// Answer a released request at the source: check the certificate, seal the identity
    Answer(answer::AnswerArgs),
    /// Collect and open an answer on the data team's machine, and countersign it
    Open(open::OpenArgs),
}

/// Where the gateway is, and what this machine trusts.
#[derive(Debug, Args)]
struct Place {
    /// The connection file: where the gateway is and how to prove who we are
    #[arg(long, short)]
    connection: PathBuf,
    /// The folder with this machine's keys and what it trusts
    #[arg(long, short, value_name = "DIR")]
    folder: PathBuf,
}

#[derive(Debug, Args)]
struct List {
    /// The connection file: where the gateway is and how to prove who we are
    #[arg(long, short)]
    connection: PathBuf,
}

/// Runs `porth reid`.
///
/// # Errors
///
/// [`Failure`]; exit code 3 if the gateway refuses, 4 if what it gave does not hold.
pub fn run(args: ReidArgs, output: &Output) -> Result<(), Failure> {
    match args.command {
        Command::Key(args) => keys::make(&args, *output),
        Command::Pin(args) => keys::pin(&args, *output),
        Command::Request(args) => request::run(&args, *output),
        Command::List(args) => list(&args, *output),
        Command::Approve(args) => vote::approve(&args, *output),
        Command::Refuse(args) => vote::refuse(&args, *output),
        Command::Withdraw(args) => vote::withdraw(&args, *output),
        Command::Answer(args) => answer::run(&args, *output),
        Command::Open(args) => open::run(&args, *output),
    }
}

fn list(args: &List, output: Output) -> Result<(), Failure> {
    let mut gateway = Gateway::connect(&args.connection)?;
    let found: Value = gateway.get("/v1/reidentifications")?;
    let requests = found["requests"].as_array().map(Vec::as_slice).unwrap_or_default();
    output.result(words::table(requests), &found);
    Ok(())
}

/// The gateway, called one step after the other.
struct Gateway {
    session: Session,
}

impl Gateway {
    fn connect(connection: &std::path::Path) -> Result<Self, Failure> {
        Ok(Self { session: Connection::read(connection)?.open()? })
    }

    fn get<T: DeserializeOwned>(&mut self, path: &str) -> Result<T, Failure> {
        crate::cli::block_on(async {
            let headers = self.session.headers(None).await?;
            let answer = self.session.client().get(path, &headers).await;
            answer.and_then(|answer| answer.json()).map_err(|error| failure(&error))
        })
    }

    fn post<T: DeserializeOwned>(&mut self, path: &str, body: &impl Serialize) -> Result<T, Failure> {
        self.post_with(path, None, body)
    }

    fn post_with<T: DeserializeOwned>(
        &mut self,
        path: &str,
        key: Option<String>,
        body: &impl Serialize,
    ) -> Result<T, Failure> {
        self.try_post(path, key, body)?.map_err(|error| failure(&error))
    }

    fn try_post<T: DeserializeOwned>(
        &mut self,
        path: &str,
        key: Option<String>,
        body: &impl Serialize,
    ) -> Result<Result<T, ClientError>, Failure> {
        crate::cli::block_on(async {
            let headers = self.session.headers(key).await?;
            let answer = self.session.client().post_json(path, &headers, body).await;
            Ok(answer.and_then(|answer| answer.json()))
        })
    }

    /// Says here what does not hold, and puts it into the log where that can be done.
    fn report(&mut self, id: ReidentificationId, refusal: Refusal) -> Failure {
        let body = serde_json::json!({ "code": refusal.code() });
        let told: Result<Value, Failure> = self.post(&format!("/v1/reidentifications/{id}/faults"), &body);
        let failed = Failure::faulty(format!("reid.{}: {refusal}", refusal.code()));
        match told {
            Ok(_) => failed.next("nothing was released from here; the log says so: tell the IG officers"),
            Err(_) => {
                failed.next("nothing was released from here; the gateway took no report of it: tell the IG officers")
            }
        }
    }
}
