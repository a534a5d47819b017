//! `porth submit`: sends a batch and follows it until it is visible.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tokio_util::io::InspectReader;

use super::connection::{Connection, Session, failure};
use super::retry::Retry;
use crate::cli::output::{Failure, Output};
use crate::client::{Answer, ClientError};
use crate::domain::submission::Header;

/// How often the gateway is asked how far it is.
const POLL: Duration = Duration::from_secs(1);

/// The line that shows how much of a file is on its way.
const SENDING: &str = "{bar:30} {bytes} of {total_bytes}, {binary_bytes_per_sec}, {eta} left";

/// Arguments of `porth submit`.
#[derive(Debug, Args)]
pub struct SubmitArgs {
    /// The batch that `porth tokenise` made
    file: PathBuf,
    /// The connection file: where the gateway is and how to prove who we are
    #[arg(long, short)]
    connection: PathBuf,
    /// Do not wait until the submission is visible
    #[arg(long)]
    no_wait: bool,
    /// How many minutes to wait at most
    #[arg(long, default_value_t = 30)]
    wait_minutes: u64,
}

/// Runs `porth submit`.
///
/// # Errors
///
/// [`Failure`] with what went wrong and what to do next; exit code 3 if the gateway refused.
pub fn run(args: SubmitArgs, output: &Output) -> Result<(), Failure> {
    let digest = check_batch(&args.file)?;
    let mut session = Connection::read(&args.connection)?.open()?;
    crate::cli::block_on(async move {
        let sent = send(&mut session, &args.file, &digest, output).await?;
        let id =
            sent["id"].as_str().map(str::to_owned).ok_or_else(|| Failure::failed("the gateway named no submission"))?;
        if sent["is_repeat"].as_bool() == Some(true) {
            output.note("the gateway has this file already; nothing lands twice");
        }
        if args.no_wait {
            output.result(format_args!("submission {id}: {}", sent["state"].as_str().unwrap_or("taken")), &sent);
            return Ok(());
        }
        let found = follow(&mut session, &id, Duration::from_secs(60 * args.wait_minutes), output).await?;
        print(&id, &found, output)
    })
}

/// Makes sure that the file is a whole batch before any of it is sent; gives its SHA-256.
fn check_batch(path: &Path) -> Result<[u8; 32], Failure> {
    let unreadable = |error: std::io::Error| Failure::failed(format!("{}: {error}", path.display()));
    let malformed = |rule: &str| {
        Failure::failed(format!("batch.malformed: {}: {rule}", path.display()))
            .next("make the file again with `porth tokenise`")
    };
    let mut file = File::open(path).map_err(unreadable)?;
    let mut first = Vec::new();
    BufReader::new((&file).take(1 << 20)).read_until(b'\n', &mut first).map_err(unreadable)?;
    if serde_json::from_slice::<Header>(&first).is_err() {
        return Err(malformed("the first line is no header of a batch"));
    }
    let length = file.metadata().map_err(unreadable)?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(64))).map_err(unreadable)?;
    let mut tail = Vec::new();
    (&file).take(64).read_to_end(&mut tail).map_err(unreadable)?;
    let last = tail.trim_ascii_end().rsplit(|&byte| byte == b'\n').next().unwrap_or_default();
    let end = serde_json::from_slice::<Value>(last).ok().and_then(|value| value.get("end")?.as_u64());
    if end.is_none() {
        return Err(malformed("the end line is missing: the file was cut off"));
    }
    file.rewind().map_err(unreadable)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let read = file.read(&mut buffer).map_err(unreadable)?;
        if read == 0 {
            return Ok(hash.finalize().into());
        }
        hash.update(&buffer[..read]);
    }
}

/// The same file has the same key, so that trying again is safe.
fn idempotency_key(digest: &[u8; 32]) -> String {
    let bytes: [u8; 16] = std::array::from_fn(|at| digest[at]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid().to_string()
}

/// Sends the file; a connection that breaks is tried again. The same file lands once, however often
/// it is sent.
async fn send(session: &mut Session, path: &Path, digest: &[u8; 32], output: &Output) -> Result<Value, Failure> {
    let unreadable = |error: std::io::Error| Failure::failed(format!("{}: {error}", path.display()));
    let mut retry = Retry::new();
    loop {
        let headers = session.headers(Some(idempotency_key(digest))).await?;
        let file = tokio::fs::File::open(path).await.map_err(unreadable)?;
        let bar = ProgressBar::new(file.metadata().await.map_err(unreadable)?.len());
        bar.set_style(ProgressStyle::with_template(SENDING).expect("a constant that a test renders"));
        let sent = bar.clone();
        let file = InspectReader::new(file, move |bytes: &[u8]| sent.inc(bytes.len() as u64));
        let answer = session.client().post_stream("/v1/submissions", &headers, file).await;
        bar.finish_and_clear();
        match answer.and_then(|answer| read(&answer)) {
            Ok(value) => return Ok(value),
            Err(error) if retry.again(&error, session, output).await => {}
            Err(error) => {
                print_problem_rows(&error, output);
                return Err(failure(&error));
            }
        }
    }
}

fn read(answer: &Answer) -> Result<Value, ClientError> {
    answer.json()
}

async fn follow(session: &mut Session, id: &str, most: Duration, output: &Output) -> Result<Value, Failure> {
    let bar = ProgressBar::new_spinner();
    let path = format!("/v1/submissions/{id}");
    let began = Instant::now();
    let mut retry = Retry::new();
    loop {
        let headers = session.headers(None).await?;
        match session.client().get(&path, &headers).await.and_then(|answer| read(&answer)) {
            Ok(found) => {
                retry.went_well();
                let state = found["state"].as_str().unwrap_or("unknown").to_owned();
                if matches!(state.as_str(), "visible" | "replaced" | "failed") {
                    bar.finish_and_clear();
                    return Ok(found);
                }
                bar.set_message(format!("{state}, {} rows read", found["rows_read"].as_u64().unwrap_or(0)));
                bar.tick();
            }
            Err(error) if retry.again(&error, session, output).await => {}
            Err(error) => return Err(failure(&error)),
        }
        if began.elapsed() > most {
            return Err(Failure::failed(format!("submission {id} is not visible yet"))
                .next("it goes on by itself; send the same file again to see how far it is: nothing lands twice"));
        }
        tokio::time::sleep(POLL).await;
    }
}

fn print(id: &str, found: &Value, output: &Output) -> Result<(), Failure> {
    let count = |name: &str| found[name].as_u64().unwrap_or(0);
    let state = found["state"].as_str().unwrap_or("unknown");
    let (read, accepted, rejected) = (count("rows_read"), count("rows_accepted"), count("rows_rejected"));
    let mut page = format!("submission {id}: {state}\n{read} rows read, {accepted} accepted, {rejected} rejected");
    let errors: Vec<RowError<'_>> = found["errors"].as_array().into_iter().flatten().map(RowError::of).collect();
    if !errors.is_empty() {
        page.push('\n');
        page.push_str(&table(&errors));
        if (errors.len() as u64) < rejected {
            page.push_str("\nThere are more; they are listed once these are put right.");
        }
    }
    output.result(&page, found);
    if state == "failed" {
        let reason = found["failure"].as_str().unwrap_or("the gateway gave no reason");
        return Err(Failure::refused(format!("the submission failed: {reason}"))
            .next("put the rows right at the source, tokenise again and submit; nothing of this file landed"));
    }
    Ok(())
}

struct RowError<'a> {
    row: String,
    field: &'a str,
    code: &'a str,
    meaning: &'a str,
}

impl<'a> RowError<'a> {
    fn of(value: &'a Value) -> Self {
        let text = |name: &str| value[name].as_str().unwrap_or("");
        let row = value["row"].as_u64().map_or_else(String::new, |row| row.to_string());
        Self { row, field: text("field"), code: text("code"), meaning: text("meaning") }
    }
}

fn table(errors: &[RowError<'_>]) -> String {
    use std::fmt::Write as _;
    let mut text = format!("\n{:>8}  {:<24}{:<24}meaning", "row", "field", "code");
    for RowError { row, field, code, meaning } in errors {
        let _ = write!(text, "\n{row:>8}  {field:<24}{code:<24}{meaning}");
    }
    text
}

fn print_problem_rows(error: &ClientError, output: &Output) {
    let Some(problem) = error.problem().filter(|problem| !problem.errors.is_empty()) else { return };
    let row = |row: Option<u64>| row.map_or_else(String::new, |row| row.to_string());
    let errors: Vec<RowError<'_>> = problem
        .errors
        .iter()
        .map(|error| RowError { row: row(error.row), field: &error.field, code: &error.code, meaning: &error.message })
        .collect();
    output.note(table(&errors).trim_start());
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = r#"{"programme":"tff","agency":"education","feed":"attendance","agreement":"core/v1","mode":"snapshot","as_at":"2026-09-20","scheme":"pt1","norm":1,"match_keys":"00","epochs":[]}"#;

    fn checked(text: &str) -> Result<[u8; 32], Failure> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("batch.ndjson");
        std::fs::write(&path, text).expect("writes");
        check_batch(&path)
    }

    #[test]
    fn the_line_that_shows_progress_is_well_formed() {
        assert!(ProgressStyle::with_template(SENDING).is_ok());
    }

    #[test]
    fn only_a_whole_batch_is_sent() {
        assert!(checked(&format!("{HEADER}\n{{\"end\":0}}\n")).is_ok());
        for bad in [String::new(), "name,dob\nPenrose,2009-04-17\n".to_owned(), format!("{HEADER}\n{{\"ref\":")] {
            let failure = format!("{:?}", checked(&bad).expect_err("refused"));
            assert!(failure.contains("batch.malformed") && !failure.contains("Penrose"), "{failure}");
        }
    }

    #[test]
    fn the_same_file_has_the_same_idempotency_key_and_another_file_another() {
        let one = checked(&format!("{HEADER}\n{{\"end\":0}}\n")).expect("whole");
        let same = checked(&format!("{HEADER}\n{{\"end\":0}}\n")).expect("whole");
        let other = checked(&format!("{HEADER}\n\n{{\"end\":0}}\n")).expect("whole");
        assert_eq!(idempotency_key(&one), idempotency_key(&same));
        assert_ne!(idempotency_key(&one), idempotency_key(&other));
        assert_eq!(idempotency_key(&one).len(), 36);
    }
}
