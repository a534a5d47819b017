//! `docs/agencies.md`: its commands, run in order as they stand there.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::cli::gateway::porth;
use crate::cli::serve::stop;

/// A fenced block of commands.
struct Block {
    is_background: bool,
    text: String,
}

fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for line in page.lines() {
        match (line.strip_prefix("```"), open.take()) {
            (Some(_), Some(block)) => blocks.push(block),
            (Some(words), None) if words.starts_with("sh") => {
                open = Some(Block { is_background: words == "sh background", text: String::new() });
            }
            (Some(_), None) => panic!("a block of the page is no block of commands"),
            (None, Some(mut block)) => {
                block.text += line;
                block.text.push('\n');
                open = Some(block);
            }
            (None, None) => (),
        }
    }
    blocks
}

fn shell(folder: &Path, text: &str) -> Command {
    let programs = Path::new(env!("CARGO_BIN_EXE_porth")).parent().expect("a folder");
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap_or_default());
    let mut command = Command::new("bash");
    command.args(["-euo", "pipefail", "-c", text]).env("PATH", path).current_dir(folder);
    command
}

/// A started sandbox; its process group is this child alone, so that ending it ends it whole.
fn start_sandbox(folder: &Path, text: &str) -> Child {
    let words = text.trim().strip_prefix("porth ").expect("one command of porth");
    // Any free port instead of the page's: other tests run beside this one.
    let mut command = crate::cli::gateway::command(folder, &words.split(' ').collect::<Vec<_>>());
    command.args(["--port", "0"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("starts");
    let mut line = String::new();
    let mut output = std::io::BufReader::new(child.stdout.as_mut().expect("a pipe"));
    std::io::BufRead::read_line(&mut output, &mut line).expect("reads");
    if !line.starts_with("SANDBOX") {
        let (_, err) = (child.wait(), child.stderr.take());
        let mut text = String::new();
        std::io::Read::read_to_string(&mut err.expect("a pipe"), &mut text).expect("reads");
        panic!("the sandbox did not start: {line}{text}");
    }
    child
}

#[test]
fn an_agency_gets_from_an_export_to_a_first_answer_by_the_pages_commands_alone() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/agencies.md")).expect("the page");
    let blocks = blocks(&page);
    assert!(blocks.len() >= 6 && blocks[0].is_background, "the page's blocks were not read");
    let folder = tempfile::tempdir().expect("a folder");
    let began = Instant::now();
    let mut sandbox = None;
    let mut said = String::new();
    for block in &blocks {
        if block.is_background {
            sandbox = Some(start_sandbox(folder.path(), &block.text));
            continue;
        }
        let output = shell(folder.path(), &block.text).output().expect("bash runs");
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(0), "{}\n{out}\n{err}", block.text);
        said += &out;
    }
    for words in ["test-tokens", "The family is eligible.", "Logged as ", "are the registered ones."] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let receipt = fs::read_to_string(folder.path().join("receipt.txt")).expect("a receipt");
    assert!(receipt.contains("porth.demo"), "{receipt}");
    assert!(began.elapsed() < Duration::from_mins(10));

    let config = folder.path().join("porth-sandbox/gateway/porth.toml");
    let text = fs::read_to_string(&config).expect("a configuration");
    let production = text.replace("mode = \"pilot\"", "mode = \"production\"");
    let (without_console, _) = production.split_once("[console]").expect("the sandbox has a console");
    for (text, said) in [(production.as_str(), "demonstration_sign_in"), (without_console, "for development only")] {
        fs::write(&config, text).expect("writes");
        let refused = porth(&folder.path().join("porth-sandbox/gateway"), &["serve", "--config", "porth.toml"]);
        assert!(refused.code == 78 && refused.err.contains(said), "{refused:?}");
    }
    let twice = porth(folder.path(), &["sandbox", "start", "--port", "0"]);
    assert!(twice.code == 1 && twice.err.contains("there already"), "{twice:?}");
    let (code, err) = stop(sandbox.expect("it was started"));
    assert_eq!(code, Some(0), "{err}");
}
