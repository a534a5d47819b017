//! Trying again: what may pass by itself is tried a few times, each time after a longer wait.

use std::time::Duration;

use super::connection::Session;
use crate::cli::output::Output;
use crate::client::ClientError;
use crate::crypto::random::{SystemRandom, random_bytes};

/// How often a call is tried again.
const TRIES: u32 = 7;
/// The first wait; it doubles each time.
const FIRST_WAIT: Duration = Duration::from_millis(500);

/// How often something was tried, and how long to wait next.
pub(super) struct Retry {
    tries: u32,
}

impl Retry {
    pub(super) fn new() -> Self {
        Self { tries: 0 }
    }

    /// After something went well, failures count anew.
    pub(super) fn went_well(&mut self) {
        self.tries = 0;
    }

    /// Waits before another try. False when there is no point in one: the gateway refused, or it was
    /// tried often enough.
    pub(super) async fn again(&mut self, error: &ClientError, session: &mut Session, output: &Output) -> bool {
        if !may_pass(error) {
            return false;
        }
        let is_unauthorised = error.problem().is_some_and(|problem| problem.status == 401);
        // A token may have ended while we were busy. Where none was given, the next try would say the same.
        if is_unauthorised && !session.forget_token() {
            return false;
        }
        self.again_anyway(error, output).await
    }

    /// Likewise, for a refusal of which the caller knows that it may pass.
    pub(super) async fn again_anyway(&mut self, error: &ClientError, output: &Output) -> bool {
        if self.tries >= TRIES {
            return false;
        }
        let wait = wait(self.tries, random_bytes::<1>(&SystemRandom::new())[0]);
        self.tries += 1;
        output.note(format_args!("{error}; trying again in {:.1} s", wait.as_secs_f32()));
        tokio::time::sleep(wait).await;
        true
    }
}

/// The wait before a try: doubled each time, less up to a half by chance, so that many callers that
/// lost the gateway together do not come back together.
fn wait(tries: u32, chance: u8) -> Duration {
    let most = FIRST_WAIT * 2_u32.pow(tries);
    most.mul_f32(1.0 - f32::from(chance) / 512.0)
}

fn may_pass(error: &ClientError) -> bool {
    matches!(error, ClientError::Connection { .. } | ClientError::Timeout { .. })
        || error.problem().is_some_and(|problem| matches!(problem.status, 401 | 408 | 429 | 503))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_chance_takes_up_to_a_half() {
        for tries in 0..TRIES {
            let most = FIRST_WAIT * 2_u32.pow(tries);
            assert_eq!(wait(tries, 0), most);
            assert!(wait(tries, 255) >= most / 2 && wait(tries, 255) < most);
        }
        let all: Duration = (0..TRIES).map(|tries| wait(tries, 0)).sum();
        assert!(all < Duration::from_secs(90), "{all:?}");
    }
}
