//! `porth subject`: people use their rights. Agencies' commands go through the API; an officer's go to the
//! database by the configuration file.

mod officer;
mod reply_key;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::agency::connection::{Connection, failure, now};
use super::agency::possible_matches::parse_record;
use crate::app::subject_rights::REPLY_PADDED;
use crate::cli::output::{Failure, Output};
use crate::crypto::random::{SystemRandom, uuid_v7};
use crate::crypto::seal::{self, SealPublicKey};
use crate::domain::ids::{
    ComplaintId, CriterionCode, FeedCode, OpaqueRef, ReasonCode, RoleCode, SubjectCaseId, SubjectPartId,
};
use crate::domain::labels;
use crate::domain::subject_case::{ClockReason, ClockStep, PartOutcome, SubjectRight};
use crate::domain::token::encode_base64url;

/// Arguments of `porth subject`.
#[derive(Debug, Args)]
pub struct SubjectArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Open a case for a person whose identity was verified
    Open(OpenArgs),
    /// Show the agency's own cases and when an answer is due
    List(Via),
    /// Read the agency's own records of a case or part, and what was disclosed from them
    Data(DataArgs),
    /// Extend the time for an answer, stop the clock, let it run again, or close the case
    Clock(ClockArgs),
    /// Decide about the agency's own records in a case
    Decide(DecideArgs),
    /// End the effect of the agency's decisions in a case or part
    Lift(LiftArgs),
    /// Collect what source controllers released for the person
    Replies(RepliesArgs),
    /// Show the agency's queue: parts of cases about its own records
    Parts(Via),
    /// Answer a part
    Answer(AnswerArgs),
    /// Put a complaint into the register
    Complain(ComplainArgs),
    /// Show the agency's own complaints
    Complaints(Via),
    /// Say that a complaint was acknowledged, or that it ended
    ComplaintStep(ComplaintStepArgs),
    /// Show an officer every case with what is due, without a word on anybody
    Register(officer::RegisterArgs),
    /// Show the shield officers what is theirs
    Shielded(officer::ShieldedArgs),
}

#[derive(Debug, Args)]
struct Via {
    /// The connection file: where the gateway is and how to prove who we are
    #[arg(long, short)]
    connection: PathBuf,
}

#[derive(Debug, Args)]
struct Acting {
    #[command(flatten)]
    via: Via,
    /// The role of the person who acts
    #[arg(long)]
    role: RoleCode,
    /// The agency's own keyed reference of that person
    #[arg(long, value_parser = OpaqueRef::parse, allow_hyphen_values = true)]
    user: OpaqueRef,
}

#[derive(Debug, Args)]
struct OpenArgs {
    /// access, objection, restriction, rectification, erasure or contested
    right: SubjectRight,
    #[command(flatten)]
    acting: Acting,
    /// A record of the agency's own, feed/reference; repeat for several
    #[arg(long, value_parser = parse_record, required = true)]
    record: Vec<(FeedCode, OpaqueRef)>,
    /// Where to write the private key that alone opens the answers; keep it with the case
    #[arg(long, value_name = "FILE")]
    reply_key: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[group(id = "matter", required = true, multiple = false)]
struct Of {
    /// The case number
    #[arg(long)]
    case: Option<SubjectCaseId>,
    /// The part number
    #[arg(long)]
    part: Option<SubjectPartId>,
}

impl Of {
    fn path(&self) -> String {
        match (&self.case, &self.part) {
            (Some(case), _) => format!("/v1/subject-cases/{case}"),
            (None, Some(part)) => format!("/v1/subject-parts/{part}"),
            (None, None) => String::new(), // clap asks for one of them
        }
    }
}

#[derive(Debug, Args)]
struct DataArgs {
    #[command(flatten)]
    of: Of,
    #[command(flatten)]
    acting: Acting,
}

#[derive(Debug, Args)]
struct ClockArgs {
    /// extend, pause, resume or close
    step: ClockStep,
    /// The case number
    #[arg(long)]
    case: SubjectCaseId,
    /// complex or numerous; identification or clarification; answered or withdrawn
    #[arg(long)]
    reason: ClockReason,
    #[command(flatten)]
    acting: Acting,
}

#[derive(Debug, Args)]
struct DecideArgs {
    /// upheld, overridden, restricted, rectified, erased, contested, declined, released or nothing-to-release
    outcome: PartOutcome,
    /// The case number
    #[arg(long)]
    case: SubjectCaseId,
    #[command(flatten)]
    why: Why,
    #[command(flatten)]
    acting: Acting,
}

#[derive(Debug, Args)]
struct Why {
    /// Why, as a code
    #[arg(long)]
    reason: ReasonCode,
    /// A criterion that is contested; repeat for several, none for all
    #[arg(long)]
    criterion: Vec<CriterionCode>,
}

#[derive(Debug, Args)]
struct LiftArgs {
    #[command(flatten)]
    of: Of,
    /// Why, as a code
    #[arg(long)]
    reason: ReasonCode,
    #[command(flatten)]
    acting: Acting,
}

#[derive(Debug, Args)]
struct RepliesArgs {
    /// The case number
    #[arg(long)]
    case: SubjectCaseId,
    /// The private key that was made with the case
    #[arg(long, value_name = "FILE")]
    reply_key: Option<PathBuf>,
    /// An empty folder for the answers
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    acting: Acting,
}

#[derive(Debug, Args)]
struct AnswerArgs {
    /// released, nothing-to-release, upheld, overridden, restricted, rectified, erased, contested or declined
    outcome: PartOutcome,
    /// The part number
    #[arg(long)]
    part: SubjectPartId,
    /// What the person gets, after redaction: up to 24 KiB
    #[arg(long, value_name = "FILE")]
    reply: Option<PathBuf>,
    #[command(flatten)]
    why: Why,
    #[command(flatten)]
    acting: Acting,
}

#[derive(Debug, Args)]
struct ComplainArgs {
    /// What about, as a code such as delay or wrong-match; what was said stays with the agency
    #[arg(long)]
    about: ReasonCode,
    /// The agency's own case that it is about
    #[arg(long)]
    case: Option<SubjectCaseId>,
    #[command(flatten)]
    acting: Acting,
}

#[derive(Debug, Args)]
struct ComplaintStepArgs {
    /// acknowledge or close
    #[arg(value_parser = ["acknowledge", "close"])]
    step: String,
    /// The complaint's number
    #[arg(long)]
    complaint: ComplaintId,
    /// With what it ended, as a code; for close
    #[arg(long)]
    outcome: Option<ReasonCode>,
    #[command(flatten)]
    acting: Acting,
}

/// Runs `porth subject`.
///
/// # Errors
///
/// [`Failure`]; exit code 3 if the gateway refuses.
pub fn run(args: SubjectArgs, output: &Output) -> Result<(), Failure> {
    match args.command {
        Command::Open(args) => open(&args, output),
        Command::List(via) => show(&via, "/v1/subject-cases", "cases", &["id", "right", "state", "due_on"], output),
        Command::Data(args) => data(&args, output),
        Command::Clock(args) => {
            let body = acting(&args.acting, json!({ "step": args.step.as_str(), "reason": args.reason.as_str() }));
            let found = post(&args.acting.via, &format!("/v1/subject-cases/{}/steps", args.case), &body)?;
            let due =
                found["case"]["due_on"].as_str().unwrap_or("no day, while the clock stands or the case is closed");
            output.result(format_args!("done, and in the log; due on: {due}"), &found);
            Ok(())
        }
        Command::Decide(args) => {
            let body = verdict(&args.acting, args.outcome, &args.why);
            let found = post(&args.acting.via, &format!("/v1/subject-cases/{}/decisions", args.case), &body)?;
            output.result("decided, in the log, and in effect", &found);
            Ok(())
        }
        Command::Lift(args) => {
            let body = acting(&args.acting, json!({ "reason": args.reason }));
            let found = post(&args.acting.via, &format!("{}/lifts", args.of.path()), &body)?;
            output.result("the effect of the decisions ended", &found);
            Ok(())
        }
        Command::Replies(args) => replies(&args, output),
        Command::Parts(via) => show(&via, "/v1/subject-parts", "parts", &["id", "right", "due_on", "outcome"], output),
        Command::Answer(args) => answer(&args, output),
        Command::Complain(args) => {
            let body = acting(&args.acting, json!({ "about": args.about, "case": args.case }));
            let found = post(&args.acting.via, "/v1/subject-complaints", &body)?;
            let text = |name: &str| found["complaint"][name].as_str().unwrap_or("-").to_owned();
            output.result(format_args!("complaint {}; acknowledge by {}", text("id"), text("acknowledge_by")), &found);
            Ok(())
        }
        Command::Complaints(via) => {
            show(&via, "/v1/subject-complaints", "complaints", &["id", "about", "state", "acknowledge_by"], output)
        }
        Command::ComplaintStep(args) => {
            let body = acting(&args.acting, json!({ "step": args.step, "outcome": args.outcome }));
            let found = post(&args.acting.via, &format!("/v1/subject-complaints/{}/steps", args.complaint), &body)?;
            output.result("done, and in the log", &found);
            Ok(())
        }
        Command::Register(args) => officer::register(&args, output),
        Command::Shielded(args) => officer::shielded(&args, output),
    }
}

fn open(args: &OpenArgs, output: &Output) -> Result<(), Failure> {
    let record = |(feed, reference): &(FeedCode, OpaqueRef)| json!({ "feed": feed, "ref": reference });
    let records: Vec<Value> = args.record.iter().map(record).collect();
    let mut body = acting(&args.acting, json!({ "right": args.right.as_str(), "records": records }));
    if let Some(path) = &args.reply_key {
        body["reply_key"] = Value::String(reply_key::make(path)?.to_text());
    }
    let found = post(&args.acting.via, "/v1/subject-cases", &body)?;
    let case = &found["case"];
    let text = |name: &str| case[name].as_str().unwrap_or("-").to_owned();
    output.result(
        format_args!(
            "case {}; an answer is due on {}\n{}",
            text("id"),
            text("due_on"),
            found["statement"].as_str().unwrap_or_default()
        ),
        &found,
    );
    if args.reply_key.is_none() {
        output.note(
            "Answers are sealed at rest by the gateway alone: with --reply-key only this agency could open them.",
        );
    }
    Ok(())
}

fn data(args: &DataArgs, output: &Output) -> Result<(), Failure> {
    use std::fmt::Write as _;
    let found = post(&args.acting.via, &format!("{}/data", args.of.path()), &acting(&args.acting, json!({})))?;
    let list = |name: &str| found[name].as_array().cloned().unwrap_or_default();
    let mut text = String::new();
    for record in list("records") {
        let field = |name: &str| record[name].as_str().unwrap_or("-").to_owned();
        let held = if record["restricted"] == true { "  kept and not used" } else { "" };
        let _ = writeln!(text, "{}/{}  as at {}{held}", field("feed"), field("ref"), field("as_at"));
    }
    for seen in list("disclosures") {
        let field = |name: &str| seen[name].as_str().unwrap_or("-").to_owned();
        let items: Vec<&str> = seen["items"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let (at, recipient, purpose) = (field("at"), field("recipient"), field("purpose"));
        let _ = writeln!(text, "{at}  {recipient}  {purpose}  {}", items.join(", "));
    }
    text.push_str(found["statement"].as_str().unwrap_or_default());
    output.result(text, &found);
    Ok(())
}

fn replies(args: &RepliesArgs, output: &Output) -> Result<(), Failure> {
    let pair = args.reply_key.as_deref().map(reply_key::read).transpose()?;
    let path = format!("/v1/subject-cases/{}/replies", args.case);
    let found = post(&args.acting.via, &path, &acting(&args.acting, json!({})))?;
    let write_failed =
        |error: std::io::Error| Failure::failed(format!("cannot write to {}: {}", args.out.display(), error.kind()));
    std::fs::create_dir_all(&args.out).map_err(write_failed)?;
    let mut written = 0;
    for reply in found["replies"].as_array().into_iter().flatten() {
        let (part, body) = (reply["part"].as_str().unwrap_or_default(), reply["body"].as_str().unwrap_or_default());
        let part: SubjectPartId =
            part.parse().map_err(|_| Failure::failed("the gateway's answer has no part number"))?;
        let body = reply_key::decode(body).ok_or_else(|| Failure::failed("the gateway's answer is not base64url"))?;
        let plain = if reply["protection"] == "case-key" {
            let pair = pair
                .as_ref()
                .ok_or_else(|| Failure::failed("the answers are sealed to the case's key").next("give --reply-key"))?;
            let opened = pair.open(labels::SUBJECT_REPLY, part.as_bytes(), &body);
            opened.map_err(|_| Failure::failed("an answer does not open with this key"))?.to_vec()
        } else {
            body
        };
        std::fs::write(args.out.join(part.to_string()), plain).map_err(write_failed)?;
        written += 1;
    }
    let value = json!({ "written": written, "folder": args.out, "statement": found["statement"] });
    let statement = found["statement"].as_str().unwrap_or_default();
    output.result(format_args!("{written} answers in {}\n{statement}", args.out.display()), &value);
    Ok(())
}

fn answer(args: &AnswerArgs, output: &Output) -> Result<(), Failure> {
    let mut body = verdict(&args.acting, args.outcome, &args.why);
    if let Some(path) = &args.reply {
        let plain = super::operator::read_bytes(path)?;
        let parts = get(&args.acting.via, "/v1/subject-parts")?;
        let number = args.part.to_string();
        let part = parts["parts"].as_array().into_iter().flatten().find(|part| part["id"] == number.as_str());
        let part = part.ok_or_else(|| Failure::failed("the agency's queue has no such part"))?;
        let kept = match part["reply_key"].as_str() {
            None => plain,
            Some(key) => {
                let key = SealPublicKey::parse(key).map_err(|_| Failure::failed("the case's key cannot be read"))?;
                let row = args.part.as_bytes();
                let sealed = seal::seal(&SystemRandom::new(), &key, labels::SUBJECT_REPLY, row, &plain, REPLY_PADDED);
                sealed
                    .map_err(|_| Failure::failed("the answer is too long").next("give what is longer by another way"))?
            }
        };
        body["reply"] = Value::String(encode_base64url(&kept));
    }
    let found = post(&args.acting.via, &format!("/v1/subject-parts/{}/answers", args.part), &body)?;
    output.result("answered, in the log, and in effect", &found);
    Ok(())
}

fn verdict(who: &Acting, outcome: PartOutcome, why: &Why) -> Value {
    acting(who, json!({ "outcome": outcome.as_str(), "reason": why.reason, "criteria": why.criterion }))
}

/// A body with who acts.
fn acting(who: &Acting, mut body: Value) -> Value {
    body["role"] = json!(who.role);
    body["user"] = json!(who.user);
    body
}

fn show(via: &Via, path: &str, list: &str, columns: &[&str], output: &Output) -> Result<(), Failure> {
    let found = get(via, path)?;
    let rows = found[list].as_array().cloned().unwrap_or_default();
    let line = |row: &Value| {
        let cells: Vec<&str> = columns.iter().map(|column| row[*column].as_str().unwrap_or("-")).collect();
        let overdue = if row["overdue"] == true { "  overdue" } else { "" };
        format!("{}{overdue}", cells.join("  "))
    };
    let mut lines: Vec<String> = rows.iter().map(line).collect();
    lines.push(found["statement"].as_str().unwrap_or_default().to_owned());
    output.result(lines.join("\n"), &found);
    Ok(())
}

fn get(via: &Via, path: &str) -> Result<Value, Failure> {
    let mut session = Connection::read(&via.connection)?.open()?;
    super::block_on(async move {
        let headers = session.headers(None).await?;
        let answer = session.client().get(path, &headers).await;
        answer.and_then(|answer| answer.json()).map_err(|error| failure(&error))
    })
}

fn post(via: &Via, path: &str, body: &Value) -> Result<Value, Failure> {
    let mut session = Connection::read(Path::new(&via.connection))?.open()?;
    super::block_on(async move {
        let key = uuid_v7(now(), &SystemRandom::new()).to_string();
        let headers = session.headers(Some(key)).await?;
        let answer = session.client().post_json(path, &headers, body).await;
        answer.and_then(|answer| answer.json()).map_err(|error| failure(&error))
    })
}
