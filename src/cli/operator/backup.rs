//! `porth backup`.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::{ConfigFile, start_failure, store_failure};
use crate::app::backup::{BackupError, back_up};
use crate::app::policies::hex;
use crate::cli::output::{Failure, Output};
use crate::domain::time::Timestamp;
use crate::runtime::{machine_time, open_database};

/// Arguments of `porth backup`.
#[derive(Debug, Args)]
pub struct BackupArgs {
    #[command(flatten)]
    config: ConfigFile,
    /// The file to make, or the folder for one that is named by the time; nothing is overwritten
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
}

#[derive(Serialize)]
struct Made {
    file: PathBuf,
    bytes: u64,
    rows: u64,
    sha256: String,
    log_size: u64,
    log_pending: u64,
}

/// Runs `porth backup`. The gateway may serve meanwhile.
///
/// # Errors
///
/// [`Failure`] with what went wrong and what to do next.
pub fn run(args: BackupArgs, output: &Output) -> Result<(), Failure> {
    let config = args.config.read()?;
    let file = if args.to.is_dir() { args.to.join(name_of(machine_time())) } else { args.to };
    let made = crate::cli::block_on(async {
        let store = open_database(&config).await.map_err(start_failure)?;
        let made = back_up(&store, &file).await.map_err(failure)?;
        store.close().await;
        Ok(made)
    })?;
    let made = Made {
        file,
        bytes: made.bytes,
        rows: made.rows,
        sha256: hex(&made.sha256),
        log_size: made.header.log_size,
        log_pending: made.header.log_pending,
    };
    let text = format!(
        "Wrote {}: {} rows, {} bytes; the log has {} entries, {} wait for their place.\nSHA-256 of the content: {}",
        made.file.display(),
        made.rows,
        made.bytes,
        made.log_size,
        made.log_pending,
        made.sha256
    );
    output.result(text, &made);
    output.note("It holds no key. Keep it apart from the key-encryption keys, and a newer checkpoint apart from it.");
    Ok(())
}

/// `porth-20260920T101500Z.backup`.
fn name_of(time: Timestamp) -> String {
    let time = time.to_string();
    let seconds = time.split('.').next().unwrap_or_default();
    let digits: String = seconds.chars().filter(|c| !matches!(c, '-' | ':')).collect();
    format!("porth-{digits}Z.backup")
}

fn failure(error: BackupError) -> Failure {
    match error {
        BackupError::Store(error) => store_failure(error),
        BackupError::Exists(_) => Failure::failed(error).next("name another file"),
        BackupError::File(_) => Failure::failed(error).next("check the folder, its permissions and the space there"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backup_in_a_folder_is_named_by_the_second() {
        assert_eq!(name_of(Timestamp::from_micros(1_000_001)), "porth-19700101T000001Z.backup");
    }
}
