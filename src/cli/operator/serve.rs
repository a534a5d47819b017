//! `porth serve`.

use clap::{Args, ValueEnum};
use serde::Serialize;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::Level;

use super::{ConfigFile, start_failure};
use crate::cli::output::{Failure, Output};
use crate::config::Mode;
use crate::runtime;
use crate::telemetry::{self, LogFormat};

/// Arguments of `porth serve`.
#[derive(Debug, Args)]
pub struct ServeArgs {
    #[command(flatten)]
    config: ConfigFile,
    #[command(flatten)]
    logging: Logging,
}

/// How a process that goes on tells what it does, on standard error.
#[derive(Debug, Args)]
pub struct Logging {
    /// How log lines look
    #[arg(long, value_enum, default_value_t = Format::Text)]
    log_format: Format,
    /// What is worth a log line: error, warn, info, debug
    #[arg(long, default_value_t = Level::INFO)]
    log_level: Level,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

#[derive(Serialize)]
struct Listening {
    agencies: String,
    operator: String,
    programme: String,
    sequences_the_log: bool,
}

/// Runs `porth serve`: until it is told to stop, and then until the requests under way are answered.
///
/// # Errors
///
/// [`Failure`] with what went wrong and what to do next; exit code 78 where configuration or keys
/// are refused.
pub fn run(args: ServeArgs, output: &Output) -> Result<(), Failure> {
    args.logging.start();
    let config = args.config.read()?;
    crate::cli::block_on(async {
        let mut stop = StopSignals::listen()?;
        let prepared = runtime::prepare(&config).await.map_err(start_failure)?;
        let sequences_the_log = prepared.sequencer.is_some();
        let running = runtime::start(&config, prepared).await.map_err(start_failure)?;
        if config.mode == Mode::Pilot {
            output.note("porth: pilot mode: for trials on synthetic or consented data only");
        }
        let listening = Listening {
            agencies: running.agencies.to_string(),
            operator: running.operator.to_string(),
            programme: config.programme.to_string(),
            sequences_the_log,
        };
        let text = format!(
            "Listening for agencies on {} and for the operator on {}.{}",
            listening.agencies,
            listening.operator,
            if sequences_the_log { "" } else { " Run `porth sequence` beside it." }
        );
        output.result(text, &listening);
        let name = stop.received().await;
        output.note(format_args!("porth: {name}: finishing what is under way"));
        running.stop().await;
        Ok(())
    })
}

impl Logging {
    /// Starts logging. A second start in one process keeps the first.
    pub fn start(&self) {
        let format = match self.log_format {
            Format::Text => LogFormat::Text,
            Format::Json => LogFormat::Json,
        };
        let _ = telemetry::start_logging(format, self.log_level);
    }
}

/// The signals that ask a process to end in good order.
pub struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    /// Takes the signals over from now on.
    ///
    /// # Errors
    ///
    /// [`Failure`] when the operating system refuses.
    pub fn listen() -> Result<Self, Failure> {
        let take = |kind| signal(kind).map_err(|error| Failure::failed(format!("cannot listen for signals: {error}")));
        Ok(Self { terminate: take(SignalKind::terminate())?, interrupt: take(SignalKind::interrupt())? })
    }

    /// Waits for one and names it.
    pub async fn received(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
