//! What runs by itself beside the listeners: making submissions visible, sequencing the log, tidying.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::app::gateway::Gateway;
use crate::app::sequence::Sequencer;

/// How often a job looks for work that nobody announced (another replica's, or after a crash).
const LOOK: Duration = Duration::from_secs(2);
/// How long the sequencer gathers entries before it signs.
const GATHER: Duration = Duration::from_millis(200);
/// How long a failed job waits before it tries again.
const WAIT: Duration = Duration::from_secs(1);
/// How often what nobody needs is removed.
const TIDY: Duration = Duration::from_mins(1);

/// Makes staged submissions visible, one after the other.
pub async fn publish(gateway: Gateway, shutdown: CancellationToken) {
    while !shutdown.is_cancelled() {
        match gateway.publish_next().await {
            Ok(Some(_)) => {}
            Ok(None) => {
                tokio::select! {
                    () = gateway.publisher_woken() => {}
                    () = tokio::time::sleep(LOOK) => {}
                    () = shutdown.cancelled() => {}
                }
            }
            Err(error) => {
                tracing::error!(error = %error, "a submission could not be made visible; it is tried again");
                pause(&shutdown, WAIT).await;
            }
        }
    }
}

/// Sequences the log. `announced` wakes it early; without it the queue is looked at by itself.
pub async fn sequence(sequencer: Arc<Sequencer>, announced: Option<Gateway>, shutdown: CancellationToken) {
    loop {
        let is_last = shutdown.is_cancelled();
        match sequencer.drain().await {
            Ok(step) if step.added > 0 => {
                tracing::debug!(log.size = step.size, "the log grew");
            }
            Ok(_) => {}
            Err(error) => {
                tracing::error!(error = %error, "the log could not be sequenced; it is tried again");
                pause(&shutdown, WAIT).await;
            }
        }
        if is_last {
            return;
        }
        pause(&shutdown, GATHER).await;
        if let Some(gateway) = &announced {
            tokio::select! {
                () = gateway.sequencer_woken() => {}
                () = tokio::time::sleep(LOOK) => {}
                () = shutdown.cancelled() => {}
            }
        }
    }
}

/// Removes what nobody needs any more.
pub async fn tidy(gateway: Gateway, shutdown: CancellationToken) {
    while !shutdown.is_cancelled() {
        if let Err(error) = gateway.tidy().await {
            tracing::warn!(error = %error, "tidying did not finish; it goes on next time");
        }
        pause(&shutdown, TIDY).await;
    }
}

async fn pause(shutdown: &CancellationToken, time: Duration) {
    tokio::select! {
        () = tokio::time::sleep(time) => {}
        () = shutdown.cancelled() => {}
    }
}
