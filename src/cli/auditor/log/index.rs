//! `porth log index`.

use clap::Args;

use crate::app::log_index::{check_log_index, index_log, rebuild_log_index};
use crate::cli::operator::{ConfigFile, app_failure, start_failure, store_failure};
use crate::cli::output::{Failure, Output};
use crate::runtime::open_database;

/// Arguments of `porth log index`.
#[derive(Debug, Args)]
pub(super) struct IndexArgs {
    #[command(flatten)]
    config: ConfigFile,
    /// Empty the index and make it again from the entries
    #[arg(long)]
    rebuild: bool,
}

/// Brings the index up to date, or makes it again, and compares all of it with the entries.
pub(super) fn run(args: &IndexArgs, output: Output) -> Result<(), Failure> {
    let config = args.config.read()?;
    let found = crate::cli::block_on(async {
        let store = open_database(&config).await.map_err(start_failure)?;
        store.check_schema().await.map_err(store_failure)?;
        let made = if args.rebuild { rebuild_log_index(&store).await } else { index_log(&store).await };
        made.map_err(app_failure)?;
        let found = check_log_index(&store, u64::MAX).await.map_err(app_failure)?;
        store.close().await;
        Ok(found)
    })?;
    let value = serde_json::json!({
        "entries": found.compared, "differing": found.differing, "beyond": found.beyond, "sound": found.is_sound(),
    });
    if found.is_sound() {
        output.result(format_args!("The index has {} entries, and is what they give.", found.compared), &value);
        return Ok(());
    }
    output.result(format_args!("{} of {} entries are indexed otherwise.", found.differing, found.compared), &value);
    Err(Failure::faulty("the index is not what the log gives")
        .next("find out who wrote to the database, then run this with --rebuild"))
}
