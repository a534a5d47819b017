//! `porth completions` and `porth man`: what packagers install beside the program.

use std::path::PathBuf;

use clap::{Args, Command};
use clap_complete::Shell;

use super::output::{Failure, Output};

/// Arguments of `porth completions`.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// For which shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Arguments of `porth man`.
#[derive(Debug, Args)]
pub struct ManArgs {
    /// Where the pages are written; made if need be
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

/// Prints the completions of a shell.
///
/// # Errors
///
/// [`Failure`] when they are not text.
pub fn completions(args: &CompletionsArgs, mut program: Command, output: &Output) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut program, "porth", &mut script);
    let script = String::from_utf8(script).map_err(|_| Failure::failed("the completions are not text"))?;
    output.line(script.trim_end());
    Ok(())
}

/// Writes a page for the program and for every command.
///
/// # Errors
///
/// [`Failure`] when the folder cannot be written.
pub fn man(args: &ManArgs, program: Command, output: &Output) -> Result<(), Failure> {
    let refused = |error: std::io::Error| {
        Failure::failed(format!("cannot write to {}: {}", args.folder.display(), error.kind()))
            .next("check the path and its permissions")
    };
    std::fs::create_dir_all(&args.folder).map_err(refused)?;
    clap_mangen::generate_to(program, &args.folder).map_err(refused)?;
    let pages = std::fs::read_dir(&args.folder).map_err(refused)?.count();
    let value = serde_json::json!({ "folder": args.folder, "pages": pages });
    output.result(format_args!("{} holds {pages} pages.", args.folder.display()), &value);
    Ok(())
}
