//! `porth screen`: asks about every person of a tokenised file, and writes one result a row.

use std::fs::File;
use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use clap::Args;
use indicatif::ProgressBar;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::connection::{Connection, Session, failure, now};
use super::enquire::{parse_mode, parse_relationship};
use super::key_file::AgencyKeyFile;
use super::retry::Retry;
use crate::app::screen::{MOST_QUESTIONS, ScreeningHead, ScreeningQuestion};
use crate::cli::output::{Failure, Output};
use crate::client::{Answer, ClientError};
use crate::crypto::random::{SystemRandom, random_bytes, uuid_v7};
use crate::domain::agreement::AnswerMode;
use crate::domain::ids::{AgreementRef, OpaqueRef, PurposeCode, RoleCode};
use crate::domain::programme::Relationship;
use crate::domain::submission::{Header, RecordLine};

/// Rows that are collected with one call.
const PAGE: u32 = 100;

/// Arguments of `porth screen`.
#[derive(Debug, Args)]
pub struct ScreenArgs {
    /// The batch that `porth tokenise` made: each of its records is one question, about that person
    batch: PathBuf,
    /// The connection file: where the gateway is and how to prove who we are
    #[arg(long, short)]
    connection: PathBuf,
    /// The agency's key file
    #[arg(long, short)]
    keys: PathBuf,
    /// The agreement that lets the agency ask, such as early-help-core/v1
    #[arg(long)]
    agreement: AgreementRef,
    /// What the answers are for
    #[arg(long)]
    purpose: PurposeCode,
    /// In which form: eligible, count, areas, criteria or lead
    #[arg(long, value_parser = parse_mode)]
    mode: AnswerMode,
    /// Why these persons now: `open_case`, referral, screening, `statutory_enquiry` or emergency
    #[arg(long, value_parser = parse_relationship, default_value = "screening")]
    relationship: Relationship,
    /// The role in which the asking person acts
    #[arg(long)]
    role: RoleCode,
    /// The user name of the person who asks; leaves as a keyed reference only
    #[arg(long)]
    user: String,
    /// Where the results go: a CSV file with one row for each record of the batch, in its order
    #[arg(long, short)]
    out: PathBuf,
    /// Where the receipts go, one after the other
    #[arg(long)]
    receipts: Option<PathBuf>,
    /// Ask anew about everybody, although the same file was asked about within a day
    #[arg(long)]
    anew: bool,
}

/// Runs `porth screen`.
///
/// Begun again with the same arguments, it goes on where it was: nobody is asked about twice.
///
/// # Errors
///
/// [`Failure`] with what went wrong and what to do next; exit code 3 if the gateway refused.
pub fn run(args: ScreenArgs, output: &Output) -> Result<(), Failure> {
    for path in [Some(&args.out), args.receipts.as_ref()].into_iter().flatten() {
        if path.exists() {
            return Err(Failure::failed(format!("{}: is there already", path.display()))
                .next("name another file; results are never overwritten"));
        }
    }
    let key_file = AgencyKeyFile::read(&args.keys).map_err(Failure::unusable)?;
    let user = key_file.reference().user(args.user.trim());
    let (body, references) = questions(&args, &user)?;
    let mut session = Connection::read(&args.connection)?.open()?;
    let anew = args.anew;
    let found = crate::cli::block_on(async move {
        let id = hand_over(&mut session, &body, anew, output).await?;
        let results = collect(&mut session, &id, references.len(), output).await?;
        Ok((id, references, results))
    });
    let (id, references, results) = found?;
    write_results(&args.out, &references, &results)?;
    if let Some(path) = &args.receipts {
        write_receipts(path, &results)?;
    }
    let count = |outcome: &str| results.iter().filter(|row| row["outcome"] == outcome).count();
    let summary = json!({
        "screening": id, "rows": references.len(), "answered": count("answered"), "ceiling": count("ceiling"),
        "refused": count("refused"), "lapsed": count("lapsed"), "unfit": count("unfit"),
    });
    let text = format!(
        "{} rows: {} answered, {} met the day's ceiling, {} refused, {} lapsed, {} unfit; results in {}",
        references.len(),
        summary["answered"],
        summary["ceiling"],
        summary["refused"],
        summary["lapsed"],
        summary["unfit"],
        args.out.display()
    );
    output.result(text, &summary);
    if count("answered") == references.len() {
        return Ok(());
    }
    Err(Failure::refused("not every row was answered")
        .next("the column `outcome` says which; `--anew` asks again, about everybody; the day's ceiling holds"))
}

/// The screening as it is sent, and the reference of each of its questions.
fn questions(args: &ScreenArgs, user: &OpaqueRef) -> Result<(Bytes, Vec<String>), Failure> {
    let path = &args.batch;
    let malformed = |rule: &str| {
        Failure::failed(format!("batch.malformed: {}: {rule}", path.display()))
            .next("make the file again with `porth tokenise`")
    };
    let unreadable = |error: std::io::Error| Failure::failed(format!("{}: {error}", path.display()));
    let mut lines = BufReader::new(File::open(path).map_err(unreadable)?).lines();
    let first = lines.next().ok_or_else(|| malformed("the file is empty"))?.map_err(unreadable)?;
    let header: Header = serde_json::from_str(&first).map_err(|_| malformed("the first line is no header"))?;
    let head = ScreeningHead {
        programme: header.programme,
        agreement: args.agreement.clone(),
        purpose: args.purpose.clone(),
        mode: args.mode,
        relationship: args.relationship,
        role: args.role.clone(),
        scheme: header.scheme,
        norm: header.norm,
        epochs: header.epochs,
    };
    let mut body = serde_json::to_vec(&head).unwrap_or_default();
    body.push(b'\n');
    let (mut references, mut is_whole) = (Vec::new(), false);
    for (number, line) in lines.enumerate() {
        let line = line.map_err(unreadable)?;
        if line.trim().is_empty() {
            continue;
        }
        let end = serde_json::from_str::<Value>(&line).ok().and_then(|value| value.get("end")?.as_u64());
        if let Some(end) = end {
            is_whole = end == references.len() as u64;
            break;
        }
        let record: RecordLine =
            serde_json::from_str(&line).map_err(|_| malformed(&format!("line {} is no record", number + 2)))?;
        references.push(record.reference.as_str().to_owned());
        let question = ScreeningQuestion {
            case: record.reference,
            user: user.clone(),
            tokens: record.tokens,
            household: record.household,
        };
        body.extend(serde_json::to_vec(&question).unwrap_or_default());
        body.push(b'\n');
    }
    if !is_whole {
        return Err(malformed("the end line is missing, or the file was cut off"));
    }
    if references.is_empty() || references.len() > MOST_QUESTIONS {
        return Err(Failure::failed(format!(
            "a screening holds 1 to {MOST_QUESTIONS} questions, this file has {}",
            references.len()
        ))
        .next("tokenise the rows that are to be asked about, in several files if need be"));
    }
    body.extend(json!({ "end": references.len() }).to_string().as_bytes());
    body.push(b'\n');
    Ok((body.into(), references))
}

async fn hand_over(session: &mut Session, body: &Bytes, anew: bool, output: &Output) -> Result<String, Failure> {
    let digest = Sha256::digest(body);
    let bytes: [u8; 16] = if anew { random_bytes(&SystemRandom::new()) } else { std::array::from_fn(|at| digest[at]) };
    let key = uuid::Builder::from_custom_bytes(bytes).into_uuid().to_string();
    let mut retry = Retry::new();
    loop {
        let headers = session.headers(Some(key.clone())).await?;
        let sent = session.client().post_bytes("/v1/screenings", &headers, "application/x-ndjson", body.clone()).await;
        match sent.and_then(|answer| answer.json::<Value>()) {
            Ok(value) => {
                if value["is_repeat"] == true {
                    output.note("the gateway has these questions already; it goes on where it was");
                }
                let id = value["id"].as_str().ok_or_else(|| Failure::failed("the gateway named no screening"))?;
                return Ok(id.to_owned());
            }
            Err(error) if retry.again(&error, session, output).await => {}
            Err(error) => return Err(refusal(&error, output)),
        }
    }
}

/// Every row in its order.
async fn collect(session: &mut Session, id: &str, rows: usize, output: &Output) -> Result<Vec<Value>, Failure> {
    let bar = ProgressBar::new(rows as u64);
    let mut results = Vec::with_capacity(rows);
    let mut after = Some(0);
    let mut retry = Retry::new();
    while let Some(last) = after {
        // A row is decided once, however often it is collected: the key is only what every such call has.
        let headers = session.headers(Some(uuid_v7(now(), &SystemRandom::new()).to_string())).await?;
        let wanted = json!({ "after": last, "limit": PAGE });
        match session.client().post_json(&format!("/v1/screenings/{id}/rows"), &headers, &wanted).await.and_then(page) {
            Ok((page, next)) => {
                results.extend(page);
                bar.set_position(results.len() as u64);
                after = next;
                retry.went_well();
            }
            Err(error) if retry.again(&error, session, output).await => {}
            Err(error) => return Err(refusal(&error, output)),
        }
    }
    bar.finish_and_clear();
    if results.len() != rows {
        return Err(Failure::failed("the gateway gave another number of rows than were asked")
            .next("run the same command again; nobody is asked about twice"));
    }
    Ok(results)
}

/// The rows of a page, and after which row the next begins.
fn page(answer: Answer) -> Result<(Vec<Value>, Option<u64>), ClientError> {
    let not_understood = ClientError::NotUnderstood { what: "answer" };
    let text = std::str::from_utf8(&answer.body).map_err(|_| ClientError::NotUnderstood { what: "answer" })?;
    let mut rows = Vec::new();
    for line in text.lines() {
        let value: Value = serde_json::from_str(line).map_err(|_| ClientError::NotUnderstood { what: "answer" })?;
        if let Some(next) = value.get("next_after") {
            return Ok((rows, next.as_u64()));
        }
        rows.push(value);
    }
    Err(not_understood) // the last line is missing: the answer was cut off
}

fn refusal(error: &ClientError, output: &Output) -> Failure {
    for wrong in error.problem().map(|problem| problem.errors.as_slice()).unwrap_or_default() {
        let row = wrong.row.map_or_else(String::new, |row| row.to_string());
        output.note(format_args!("row {row}: {}: {}", wrong.code, wrong.message));
    }
    failure(error)
}

fn write_results(path: &Path, references: &[String], results: &[Value]) -> Result<(), Failure> {
    let unwritable = |error: &dyn std::fmt::Display| Failure::failed(format!("{}: {error}", path.display()));
    let mut file = csv::Writer::from_path(path).map_err(|error| unwritable(&error))?;
    let columns = ["row", "ref", "outcome", "result", "detail", "disclosure"];
    file.write_record(columns).map_err(|error| unwritable(&error))?;
    for (number, (reference, row)) in references.iter().zip(results).enumerate() {
        let answer = &row["answer"];
        let (result, detail) = said(answer);
        let disclosure = answer["disclosure"].as_str().or_else(|| row["disclosure"].as_str()).unwrap_or_default();
        let outcome = row["outcome"].as_str().unwrap_or_default();
        let row =
            [(number + 1).to_string(), reference.clone(), outcome.to_owned(), result, detail, disclosure.to_owned()];
        file.write_record(row).map_err(|error| unwritable(&error))?;
    }
    file.flush().map_err(|error| unwritable(&error))
}

/// What an answer says in one word, and the rest of it.
fn said(answer: &Value) -> (String, String) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    if let Some(eligible) = answer.get("eligible").filter(|value| value.is_object()) {
        let withheld = eligible["covers"].as_array().into_iter().flatten();
        let withheld: Vec<String> =
            withheld.filter(|area| area["is_withheld"] == true).map(|area| text(&area["area"])).collect();
        let detail = if withheld.is_empty() { String::new() } else { format!("withheld={}", withheld.join(" ")) };
        return (text(&eligible["state"]), detail);
    }
    if let Some(count) = answer.get("count").filter(|value| value.is_object()) {
        let detail = format!("open={} professional={}", count["open"], count["professional"]);
        return (format!("{} met", count["met"]), detail);
    }
    let list = answer["areas"].as_array().or_else(|| answer["criteria"].as_array());
    if let Some(areas) = list {
        let states: Vec<String> =
            areas.iter().map(|area| format!("{}={}", text(&area["code"]), text(&area["state"]))).collect();
        let met = areas.iter().filter(|area| area["state"] == "met").count();
        return (format!("{met} met"), states.join(" "));
    }
    if let Some(lead) = answer.get("lead").filter(|value| value.is_object()) {
        return (text(&lead["state"]), [text(&lead["agency"]), text(&lead["team"])].join(" ").trim().to_owned());
    }
    (String::new(), String::new())
}

fn write_receipts(path: &Path, results: &[Value]) -> Result<(), Failure> {
    let unwritable = |error: std::io::Error| Failure::failed(format!("{}: {error}", path.display()));
    let mut file = BufWriter::new(File::create_new(path).map_err(unwritable)?);
    for row in results {
        let receipt = row["answer"]["receipt"].as_str().or_else(|| row["receipt"].as_str());
        if let Some(receipt) = receipt {
            writeln!(file, "{receipt}").map_err(unwritable)?;
        }
    }
    file.flush().map_err(unwritable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_said_in_two_columns() {
        for (answer, result, detail) in [
            (
                json!({ "eligible": { "state": "met", "covers": [{ "area": "A4", "is_withheld": true }] } }),
                "met",
                "withheld=A4",
            ),
            (
                json!({ "eligible": null, "areas": [{ "code": "A1", "state": "not_known" }, { "code": "A2", "state": "met" }] }),
                "1 met",
                "A1=not_known A2=met",
            ),
            (
                json!({ "count": { "met": 1, "professional": 0, "open": 2, "covers": [] }, "areas": null }),
                "1 met",
                "open=2 professional=0",
            ),
            (json!({ "criteria": [{ "code": "E1", "state": "met" }], "areas": null }), "1 met", "E1=met"),
            (json!({ "lead": { "state": "known", "agency": "hub", "team": "west" } }), "known", "hub west"),
            (json!({ "lead": { "state": "not_known", "agency": null, "team": null } }), "not_known", ""),
            (Value::Null, "", ""),
        ] {
            assert_eq!(said(&answer), (result.to_owned(), detail.to_owned()), "{answer}");
        }
    }
}
