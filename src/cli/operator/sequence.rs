//! `porth sequence`.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::serve::{Logging, StopSignals};
use super::{app_failure, config_failure, start_failure};
use crate::cli::output::{Failure, Output};
use crate::config::SequencerConfig;
use crate::{jobs, runtime};

/// Arguments of `porth sequence`.
#[derive(Debug, Args)]
pub struct SequenceArgs {
    /// The sequencer's own configuration file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Sequence what is queued, then end
    #[arg(long)]
    once: bool,
    #[command(flatten)]
    logging: Logging,
}

#[derive(Serialize)]
struct Sequenced {
    added: u64,
    size: u64,
}

/// Runs `porth sequence`.
///
/// # Errors
///
/// [`Failure`] with what went wrong and what to do next.
pub fn run(args: SequenceArgs, output: &Output) -> Result<(), Failure> {
    args.logging.start();
    let config = SequencerConfig::read(&args.config).map_err(config_failure)?;
    crate::cli::block_on(async {
        let mut stop = StopSignals::listen()?;
        let (store, sequencer) = runtime::prepare_sequencer(&config).await.map_err(start_failure)?;
        let state_file = config.state_file();
        runtime::refuse_older_log(&store, &state_file).await.map_err(start_failure)?;
        if args.once {
            let step = sequencer.drain().await.map_err(app_failure)?;
            let done = Sequenced { added: step.added, size: step.size };
            output.result(format_args!("{} entries added; the log has {}.", done.added, done.size), &done);
        } else {
            let shutdown = CancellationToken::new();
            let job = tokio::spawn(jobs::sequence(Arc::new(sequencer), None, shutdown.clone()));
            let held = jobs::LogMemory::default();
            let memory = tokio::spawn(jobs::remember_log(store.clone(), state_file, held, shutdown.clone()));
            output.note(format_args!("porth: sequencing the log {}", config.log_origin));
            let name = stop.received().await;
            output.note(format_args!("porth: {name}: sequencing what is queued, then ending"));
            shutdown.cancel();
            let _ = memory.await; // it only remembers; what it could not is in its log
            job.await.map_err(|_| Failure::failed("the sequencer stopped unexpectedly; its log says why"))?;
        }
        store.close().await;
        Ok(())
    })
}
