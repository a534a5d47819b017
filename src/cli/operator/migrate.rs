//! `porth migrate`.

use clap::Args;
use serde::Serialize;

use super::{ConfigFile, app_failure, config_failure, store_failure};
use crate::app::sequence::open_log;
use crate::cli::output::{Failure, Output};
use crate::store::{SCHEMA_VERSION, Store};

/// Arguments of `porth migrate`.
#[derive(Debug, Args)]
pub struct MigrateArgs {
    #[command(flatten)]
    config: ConfigFile,
    /// Take the schema down to this version instead; 0 removes everything that is stored
    #[arg(long, value_name = "VERSION", requires = "yes")]
    down: Option<i64>,
    /// Confirms that `--down` may destroy data
    #[arg(long, requires = "down")]
    yes: bool,
}

#[derive(Serialize)]
struct Migrated {
    schema_version: i64,
    log_origin: Option<String>,
}

/// Runs `porth migrate`.
///
/// # Errors
///
/// [`Failure`] with what went wrong and what to do next.
pub fn run(args: MigrateArgs, output: &Output) -> Result<(), Failure> {
    let config = args.config.read()?;
    let location = config.database.location().map_err(config_failure)?;
    crate::cli::block_on(async {
        let store = Store::connect(&location, config.database.connections).await.map_err(store_failure)?;
        let done = if let Some(version) = args.down {
            store.migrate_down(version).await.map_err(store_failure)?;
            Migrated { schema_version: version, log_origin: None }
        } else {
            store.migrate().await.map_err(store_failure)?;
            open_log(&store, &config.log_origin).await.map_err(app_failure)?;
            Migrated { schema_version: SCHEMA_VERSION, log_origin: Some(config.log_origin.clone()) }
        };
        store.close().await;
        let log = done.log_origin.as_ref().map(|origin| format!("; the log {origin} is open")).unwrap_or_default();
        output.result(format_args!("The schema is at version {}{log}.", done.schema_version), &done);
        Ok(())
    })
}
