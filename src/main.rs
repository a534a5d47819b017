//! The `porth` program: everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    porth::cli::run()
}
