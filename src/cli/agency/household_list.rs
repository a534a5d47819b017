//! `porth household-list`: a benefits agency fetches the households that a match run asks about, finds in its
//! own file which of them meet the criterion, and sends its reply.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::connection::{Connection, failure, now};
use crate::cli::operator::keys::write_private;
use crate::cli::output::{Failure, Output};
use crate::crypto::random::{SystemRandom, uuid_v7};
use crate::domain::ids::{AgreementRef, CriterionCode, MatchRunId, OpaqueRef, RoleCode};
use crate::domain::token::Token;

/// Arguments of `porth household-list`.
#[derive(Debug, Args)]
pub struct HouseholdListArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Fetch the tokens of the households that a match run asks about, into a file that only you read
    Fetch(FetchArgs),
    /// Look the listed households up in a tokenised file of the agency's own; nothing leaves this machine
    Answer(AnswerArgs),
    /// Send the answers; a household without one stays unanswered
    Reply(ReplyArgs),
}

#[derive(Debug, Args)]
struct Who {
    /// The match run, as the programme team names it
    run: MatchRunId,
    /// The connection file: where the gateway is and how to prove who we are
    #[arg(long, short)]
    connection: PathBuf,
    /// The role in which you act
    #[arg(long, default_value = "data-analyst")]
    role: RoleCode,
    /// The agency's own keyed reference of you
    #[arg(long, value_parser = parse_reference)]
    user: OpaqueRef,
}

#[derive(Debug, Args)]
struct FetchArgs {
    #[command(flatten)]
    who: Who,
    /// The agreement that lets the agency have the tokens
    #[arg(long, default_value = "programme-delivery/v1")]
    agreement: AgreementRef,
    /// Where the list goes, a CSV file; never overwritten
    #[arg(long, short, value_name = "FILE")]
    out: PathBuf,
}

#[derive(Debug, Args)]
struct AnswerArgs {
    /// The list, as `fetch` wrote it
    list: PathBuf,
    /// The agency's own records, as `porth tokenise` wrote them
    #[arg(long, value_name = "FILE")]
    batch: PathBuf,
    /// The criterion that the reply is about
    #[arg(long)]
    criterion: CriterionCode,
    /// Where the answers go, a CSV file; never overwritten
    #[arg(long, short, value_name = "FILE")]
    out: PathBuf,
}

#[derive(Debug, Args)]
struct ReplyArgs {
    #[command(flatten)]
    who: Who,
    /// The agreement under whose supply term the reply is given
    #[arg(long, default_value = "benefits-data/v1")]
    agreement: AgreementRef,
    /// The answers: the list with `met` or `not_met` in its last column, or nothing
    answers: PathBuf,
}

/// A line of the list, with the agency's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Line {
    token: Token,
    r#type: String,
    epoch: u32,
    #[serde(default)]
    state: String,
}

/// What an agency's file says of the adults at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Said {
    met: bool,
    not_met: bool,
}

/// The households of a tokenised file, by epoch, type and token.
type Households = BTreeMap<(u32, String, Token), Said>;

/// Runs `porth household-list`.
///
/// # Errors
///
/// [`Failure`] with what went wrong and what to do next; exit code 3 if the gateway refuses.
pub fn run(args: HouseholdListArgs, output: &Output) -> Result<(), Failure> {
    match args.command {
        Command::Fetch(args) => fetch(&args, output),
        Command::Answer(args) => answer(&args, output),
        Command::Reply(args) => reply(&args, output),
    }
}

fn fetch(args: &FetchArgs, output: &Output) -> Result<(), Failure> {
    if args.out.exists() {
        // Asked before the gateway is: fetching is a disclosure, and is charged.
        return Err(Failure::failed(format!("{} is there already; it is never overwritten", args.out.display())));
    }
    let path = format!("/v1/match-runs/{}/list", args.who.run);
    let given = post(&args.who.connection, &path, &terms(&args.who, &args.agreement))?;
    let lines: Vec<Line> = serde_json::from_value(given["tokens"].clone())
        .map_err(|_| Failure::failed("the gateway's answer is not a list of household tokens"))?;
    write_lines(&args.out, &lines)?;
    let said = json!({ "households": lines.len(), "disclosure": given["disclosure"], "receipt": given["receipt"],
        "file": args.out.display().to_string() });
    output.result(format_args!("{} households, in {}", lines.len(), args.out.display()), &said);
    output.note("Being on the list says that something is known at an address: delete the file once you have replied.");
    Ok(())
}

fn answer(args: &AnswerArgs, output: &Output) -> Result<(), Failure> {
    let mut lines = read_lines(&args.list)?;
    let households = read_batch(&args.batch, &args.criterion)?;
    for line in &mut lines {
        let said = households.get(&(line.epoch, line.r#type.clone(), line.token)).copied().unwrap_or_default();
        said.state().clone_into(&mut line.state);
    }
    write_lines(&args.out, &lines)?;
    let count = |state: &str| lines.iter().filter(|line| line.state == state).count();
    let (met, not_met, unanswered) = (count("met"), count("not_met"), count(""));
    let said = json!({ "met": met, "not_met": not_met, "unanswered": unanswered });
    output.result(
        format_args!("{met} met, {not_met} not met, {unanswered} without an answer, in {}", args.out.display()),
        &said,
    );
    Ok(())
}

fn reply(args: &ReplyArgs, output: &Output) -> Result<(), Failure> {
    let lines = read_lines(&args.answers)?;
    let answers: Vec<Value> = lines
        .iter()
        .filter(|line| !line.state.is_empty())
        .map(|line| json!({ "token": line.token, "state": line.state }))
        .collect();
    if answers.is_empty() {
        return Err(Failure::failed("no household of the file has an answer: there is nothing to send")
            .next("write met or not_met into the last column, or let `porth household-list answer` do it"));
    }
    let body = json!({ "terms": terms(&args.who, &args.agreement), "answers": answers });
    let taken = post(&args.who.connection, &format!("/v1/match-runs/{}/reply", args.who.run), &body)?;
    let said = json!({ "answered": answers.len(), "disclosure": taken["disclosure"], "receipt": taken["receipt"] });
    output.result(format_args!("{} of {} households answered, and in the log", answers.len(), lines.len()), &said);
    Ok(())
}

impl Said {
    /// One adult who meets it is enough; that nobody says anything is no answer.
    fn state(self) -> &'static str {
        match self {
            Self { met: true, .. } => "met",
            Self { met: false, not_met: true } => "not_met",
            Self { met: false, not_met: false } => "",
        }
    }
}

/// Reads a tokenised file: what its adults' flags say of each address.
fn read_batch(path: &Path, criterion: &CriterionCode) -> Result<Households, Failure> {
    let unreadable = |error: &dyn std::fmt::Display| Failure::failed(format!("{}: {error}", path.display()));
    let file = File::open(path).map_err(|error| unreadable(&error.kind()))?;
    let mut households = Households::new();
    for (number, line) in (1_usize..).zip(BufReader::new(file).lines()) {
        let line = line.map_err(|error| unreadable(&error.kind()))?;
        let row: Value =
            serde_json::from_str(&line).map_err(|_| unreadable(&format_args!("line {number} is not JSON")))?;
        if row.get("ref").is_some() && row["role"] != "child" && row["role"] != "unborn" {
            add_record(&mut households, &row, criterion)
                .ok_or_else(|| unreadable(&format_args!("line {number} holds a malformed household token")))?;
        }
    }
    if households.is_empty() {
        return Err(unreadable(&"no record of an adult has a household token"));
    }
    Ok(households)
}

/// `None` when a token is malformed.
fn add_record(households: &mut Households, row: &Value, criterion: &CriterionCode) -> Option<()> {
    let flags = row["flags"].as_array().into_iter().flatten().filter(|flag| flag["criterion"] == criterion.as_str());
    let states: BTreeSet<&str> = flags.filter_map(|flag| flag["state"].as_str()).collect();
    for (epoch, types) in row["household"].as_object().into_iter().flatten() {
        let epoch: u32 = epoch.parse().ok()?;
        for (token_type, tokens) in types.as_object().into_iter().flatten() {
            for token in tokens.as_array().into_iter().flatten() {
                let token = Token::parse(token.as_str()?).ok()?;
                let said = households.entry((epoch, token_type.clone(), token)).or_default();
                said.met |= states.contains("met");
                said.not_met |= states.contains("not_met");
            }
        }
    }
    Some(())
}

fn read_lines(path: &Path) -> Result<Vec<Line>, Failure> {
    let unreadable = |what: &dyn std::fmt::Display| Failure::failed(format!("{}: {what}", path.display()));
    let file = File::open(path).map_err(|error| unreadable(&error.kind()))?;
    let mut lines = Vec::new();
    for (number, line) in (2_usize..).zip(csv::Reader::from_reader(file).deserialize()) {
        let line: Line = line.map_err(|_| unreadable(&format_args!("line {number} is not a line of the list")))?;
        if !["", "met", "not_met"].contains(&line.state.as_str()) {
            return Err(unreadable(&format_args!("line {number}: the state is `met`, `not_met` or nothing")));
        }
        lines.push(line);
    }
    Ok(lines)
}

fn write_lines(path: &Path, lines: &[Line]) -> Result<(), Failure> {
    let failed = |_| Failure::failed("the list cannot be written as CSV");
    let mut csv = csv::WriterBuilder::new().has_headers(false).from_writer(Vec::new());
    csv.write_record(["token", "type", "epoch", "state"]).map_err(failed)?;
    for line in lines {
        csv.serialize(line).map_err(failed)?;
    }
    let bytes = csv.into_inner().map_err(|_| Failure::failed("the list cannot be written as CSV"))?;
    write_private(path, &bytes)
}

fn terms(who: &Who, agreement: &AgreementRef) -> Value {
    json!({ "agreement": agreement, "relationship": "screening", "role": who.role, "user": who.user })
}

fn post(connection: &Path, path: &str, body: &Value) -> Result<Value, Failure> {
    let mut session = Connection::read(connection)?.open()?;
    crate::cli::block_on(async move {
        let key = uuid_v7(now(), &SystemRandom::new()).to_string();
        let headers = session.headers(Some(key)).await?;
        let answer = session.client().post_json(path, &headers, body).await;
        answer.and_then(|answer| answer.json()).map_err(|error| failure(&error))
    })
}

fn parse_reference(text: &str) -> Result<OpaqueRef, String> {
    OpaqueRef::parse(text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(byte: u8) -> Token {
        Token::new([byte; 32])
    }

    fn record(role: &str, byte: u8, states: &[&str]) -> Value {
        let flag = |state: &&str| json!({ "criterion": "F1", "state": state });
        let other = json!({ "criterion": "F2", "state": "met" });
        let flags: Vec<Value> = states.iter().map(flag).chain([other]).collect();
        json!({ "ref": "x", "role": role, "flags": flags, "household": { "1": { "uprn": [token(byte)] } } })
    }

    #[test]
    fn one_adult_who_meets_it_is_enough_and_silence_is_no_answer() {
        let criterion = CriterionCode::parse("F1").expect("a code");
        let mut households = Households::new();
        let records = [
            record("adult", 1, &["not_met"]),
            record("adult", 1, &["met"]),
            record("adult", 2, &["not_met"]),
            record("adult", 3, &[]),
            record("adult", 4, &["contested"]),
        ];
        for record in &records {
            add_record(&mut households, record, &criterion).expect("well-formed");
        }
        let state = |byte: u8| households[&(1, "uprn".to_owned(), token(byte))].state();
        assert_eq!([1, 2, 3, 4].map(state), ["met", "not_met", "", ""]);
        let mut bad = record("adult", 1, &["met"]);
        bad["household"]["1"]["uprn"][0] = json!("Jowan");
        assert!(add_record(&mut households, &bad, &criterion).is_none());
    }

    #[test]
    fn a_child_answers_for_no_household_and_a_list_reads_back_as_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let batch = folder.path().join("batch.ndjson");
        let rows = [json!({ "programme": "x" }), record("child", 5, &["met"]), record("adult", 6, &["met"])];
        let text = rows.iter().fold(String::new(), |text, row| text + &row.to_string() + "\n");
        std::fs::write(&batch, text).expect("written");
        let criterion = CriterionCode::parse("F1").expect("a code");
        let households = read_batch(&batch, &criterion).expect("read");
        assert_eq!(households.keys().map(|(_, _, token)| *token).collect::<Vec<_>>(), [token(6)]);

        let line = |byte: u8, state: &str| Line {
            token: token(byte),
            r#type: "uprn".to_owned(),
            epoch: 1,
            state: state.to_owned(),
        };
        let lines = [line(1, "met"), line(2, "")];
        let list = folder.path().join("list.csv");
        write_lines(&list, &lines).expect("written");
        assert_eq!(read_lines(&list).expect("read"), lines);
        assert!(write_lines(&list, &lines).is_err(), "never overwritten");
        let text = std::fs::read_to_string(&list).expect("read").replace("met", "perhaps Jowan");
        std::fs::write(&list, text).expect("written");
        let refused = read_lines(&list).expect_err("no such word").message().to_owned();
        assert!(refused.contains("line 2") && !refused.contains("Jowan"), "{refused}");
    }
}
