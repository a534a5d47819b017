//! `porth submit`: sends a batch and follows it until it is visible.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio_util::io::InspectReader;

use super::connection::{Connection, Session, failure};
use super::key_file::hex;
use super::retry::Retry;
use crate::app::submit::{FileFault, LineDigest, file_line};
use crate::cli::output::{Failure, Output};
use crate::client::{Answer, ClientError};
use crate::domain::submission::Header;

/// How often the gateway is asked how far it is.
const POLL: Duration = Duration::from_secs(1);

/// The media type of calls without a stream.
const JSON: &str = "application/json";

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

/// Sends the file; a connection that breaks is tried again, and goes on after the last line that the
/// gateway holds. The same file lands once, however often it is sent.
async fn send(session: &mut Session, path: &Path, digest: &[u8; 32], output: &Output) -> Result<Value, Failure> {
    let unreadable = |error: std::io::Error| Failure::failed(format!("{}: {error}", path.display()));
    let key = idempotency_key(digest);
    let (mut retry, mut held_before) = (Retry::new(), 0);
    loop {
        let sent = match find_held(session, &key).await {
            Ok(held) => {
                // Checked here too: of another file not a line is sent.
                let place = match &held {
                    Some(held) => place_after(path, held).map_err(unreadable)?,
                    None => None,
                };
                if let (Some(held), Some(place)) = (&held, place) {
                    output.note(format_args!(
                        "the gateway holds {} of {} bytes; the rest is sent",
                        place,
                        length(path)
                    ));
                    if held.line > held_before {
                        retry.went_well(); // as long as each try brings lines, the file is on its way
                        held_before = held.line;
                    }
                    send_rest(session, path, held, place, &key).await?
                } else {
                    send_whole(session, path, &key).await?
                }
            }
            Err(error) => Err(error),
        };
        match sent {
            Ok(value) => return Ok(value),
            Err(error) if retry.again(&error, session, output).await => {}
            // Another connection of ours was still storing lines when we asked.
            Err(error) if is_other_place(&error) && retry.again_anyway(&error, output).await => {}
            Err(error) => {
                print_problem_rows(&error, output);
                return Err(failure(&error));
            }
        }
    }
}

/// What the gateway says that it holds of a file.
struct Held {
    id: String,
    line: u64,
    digest: String,
}

/// Asks what the gateway holds of the file; nothing, if it knows nothing of it.
async fn find_held(session: &mut Session, key: &str) -> Result<Option<Held>, ClientError> {
    let headers = session.try_headers(Some(key.to_owned())).await?;
    let asked = session.client().post_bytes("/v1/submissions/held", &headers, JSON, bytes::Bytes::new()).await;
    match asked.and_then(|answer| read(&answer)) {
        Ok(found) => {
            let text = |name: &str| found[name].as_str().unwrap_or_default().to_owned();
            Ok(Some(Held { id: text("id"), line: found["line"].as_u64().unwrap_or(0), digest: text("digest") }))
        }
        // A gateway of an earlier release has no such path: the same as holding nothing.
        Err(error) if error.problem().is_some_and(|problem| matches!(problem.status, 404 | 405)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// At which byte the line after those held begins; `None` if they are not this file's.
fn place_after(path: &Path, held: &Held) -> std::io::Result<Option<u64>> {
    let mut file = BufReader::new(File::open(path)?);
    let (mut digest, mut place, mut raw) = (None::<LineDigest>, 0, Vec::new());
    for number in 1..=held.line {
        raw.clear();
        let read = file.read_until(b'\n', &mut raw)?;
        if raw.pop_if(|last| *last == b'\n').is_none() {
            return Ok(None); // the file ends before, or in the last of them
        }
        place += read as u64;
        if let Some(line) = file_line(&raw, number == 1) {
            match &mut digest {
                None => digest = Some(LineDigest::of_header(line)),
                Some(digest) => digest.add(line),
            }
        }
    }
    let is_ours = digest.is_some_and(|digest| hex(digest.as_bytes()) == held.digest);
    Ok(is_ours.then_some(place))
}

fn length(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |metadata| metadata.len())
}

async fn send_whole(session: &mut Session, path: &Path, key: &str) -> Result<Result<Value, ClientError>, Failure> {
    stream(session, path, "/v1/submissions", (0, String::new()), key).await
}

async fn send_rest(
    session: &mut Session,
    path: &Path,
    held: &Held,
    place: u64,
    key: &str,
) -> Result<Result<Value, ClientError>, Failure> {
    let first = format!("{}\n", json!({ "after": held.line, "digest": held.digest }));
    stream(session, path, &format!("/v1/submissions/{}/lines", held.id), (place, first), key).await
}

/// Sends a line that is not the file's, if there is one, then the file from a byte on.
async fn stream(
    session: &mut Session,
    path: &Path,
    to: &str,
    (place, first): (u64, String),
    key: &str,
) -> Result<Result<Value, ClientError>, Failure> {
    let unreadable = |error: std::io::Error| Failure::failed(format!("{}: {error}", path.display()));
    let headers = match session.try_headers(Some(key.to_owned())).await {
        Ok(headers) => headers,
        Err(error) => return Ok(Err(error)),
    };
    let mut file = tokio::fs::File::open(path).await.map_err(unreadable)?;
    tokio::io::AsyncSeekExt::seek(&mut file, SeekFrom::Start(place)).await.map_err(unreadable)?;
    let bar = ProgressBar::new(length(path));
    bar.set_style(ProgressStyle::with_template(SENDING).expect("a constant that a test renders"));
    bar.set_position(place);
    let sent = bar.clone();
    let file = InspectReader::new(file, move |bytes: &[u8]| sent.inc(bytes.len() as u64));
    let body = tokio::io::AsyncReadExt::chain(std::io::Cursor::new(first.into_bytes()), file);
    let answer = session.client().post_stream(to, &headers, body).await;
    bar.finish_and_clear();
    Ok(answer.and_then(|answer| read(&answer)))
}

/// The gateway holds another line than it said a moment ago.
fn is_other_place(error: &ClientError) -> bool {
    error.problem().is_some_and(|problem| problem.code.as_deref() == Some(FileFault::Continuation.code()))
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
        let asked = match session.try_headers(None).await {
            Ok(headers) => session.client().get(&path, &headers).await.and_then(|answer| read(&answer)),
            Err(error) => Err(error),
        };
        match asked {
            Ok(found) => {
                retry.went_well();
                let state = found["state"].as_str().unwrap_or("unknown").to_owned();
                if matches!(state.as_str(), "visible" | "replaced" | "withdrawn" | "failed") {
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
    let (read, accepted, rejected) =
        (count(found, "rows_read"), count(found, "rows_accepted"), count(found, "rows_rejected"));
    let mut page =
        format!("submission {id}: {}\n{read} rows read, {accepted} accepted, {rejected} rejected", state_of(found));
    if let Some(errors) = row_error_table(found) {
        page.push('\n');
        page.push_str(&errors);
        if found["next_after"].is_u64() {
            let _ = write!(page, "\nThere are more: `porth submissions show {id}` lists them all.");
        }
    }
    output.result(&page, found);
    if state_of(found) == "failed" {
        let reason = found["failure"]["meaning"].as_str().unwrap_or("the gateway gave no reason");
        let code = found["failure"]["code"].as_str().unwrap_or("failed");
        return Err(Failure::refused(format!("{code}: the submission failed: {reason}"))
            .next("put the rows right at the source, tokenise again and submit; nothing of this file landed"));
    }
    Ok(())
}

/// Where a submission is in its life.
pub(super) fn state_of(found: &Value) -> &str {
    found["state"].as_str().unwrap_or("unknown")
}

/// A number of rows that the gateway tells.
pub(super) fn count(found: &Value, name: &str) -> u64 {
    found[name].as_u64().unwrap_or(0)
}

/// The row errors of a submission, if it has any.
pub(super) fn row_error_table(found: &Value) -> Option<String> {
    let errors: Vec<RowError<'_>> = found["errors"].as_array().into_iter().flatten().map(RowError::of).collect();
    (!errors.is_empty()).then(|| table(&errors))
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
    fn the_rest_begins_after_the_lines_that_are_held_if_they_are_this_files() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("batch.ndjson");
        std::fs::write(&path, "\u{feff}head\r\n\none\ntwo\n{\"end\":2}\n").expect("writes");
        let mut digest = LineDigest::of_header(b"head");
        digest.add(b"one");
        let held = |line, digest: &LineDigest| Held { id: String::new(), line, digest: hex(digest.as_bytes()) };
        assert_eq!(place_after(&path, &held(3, &digest)).expect("reads"), Some(14));
        assert_eq!(place_after(&path, &held(4, &digest)).expect("reads"), None, "another line");
        assert_eq!(place_after(&path, &held(9, &digest)).expect("reads"), None, "beyond the end");
        assert_eq!(place_after(&path, &held(3, &LineDigest::of_header(b"x"))).expect("reads"), None, "another file");
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
