//! What the benches share: the tests' gateway with room for load, invented people, rates and memory.
//!
//! Client, gateway and, for PostgreSQL, the database share this machine's cores, so every figure is
//! one of a busy machine: read the ratios, which both sides of the load lower alike.

#![allow(dead_code, clippy::print_stdout, clippy::unwrap_used, reason = "each bench uses a part")]

pub(crate) mod clients;
#[path = "../../tests/it/support/mod.rs"]
#[allow(unused_imports, reason = "the tests use the rest")]
pub(crate) mod fixtures;
pub(crate) mod flags;
pub(crate) mod people;

use std::time::Duration;

use fixtures::gateway::TestGateway;

pub(crate) use fixtures::database::Backend;
pub(crate) use flags::Flags;

/// A daily ceiling that no bench reaches.
pub(crate) const CEILING: u32 = 2_000_000_000;
/// Limits on callers that no bench reaches.
const LIMITS: &str = "[limits]\nburst = 100000000\nrequests_per_second = 100000000.0\n";

/// A gateway that listens, with the example policies, no limits on callers and high ceilings.
pub(crate) async fn gateway(backend: Backend) -> TestGateway {
    TestGateway::start_under(backend, LIMITS, Some(CEILING)).await
}

/// How many a second.
pub(crate) fn rate(count: usize, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}

/// One measured figure, and what it is.
pub(crate) fn say(what: &str, figure: f64, unit: &str) {
    let decimals = usize::from(figure < 100.0) * 2;
    println!("  {what:<64} {figure:>12.decimals$} {unit}");
}

/// A ratio with its target.
pub(crate) fn say_ratio(what: &str, ratio: f64, least: f64) {
    let verdict = if ratio >= least { "meets" } else { "MISSES" };
    println!("  {what:<64} {:>11.1}%  {verdict} the target of {:.0}%", ratio * 100.0, least * 100.0);
}

/// Latencies of many calls, in microseconds.
#[derive(Default)]
pub(crate) struct Latencies(Vec<u32>);

impl Latencies {
    pub(crate) fn push(&mut self, took: Duration) {
        self.0.push(u32::try_from(took.as_micros()).unwrap_or(u32::MAX));
    }

    pub(crate) fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// The latency that this share of the calls did not exceed, in milliseconds.
    pub(crate) fn quantile(&mut self, share: f64) -> f64 {
        self.0.sort_unstable();
        let place = ((self.0.len() as f64 * share).ceil() as usize).clamp(1, self.0.len().max(1)) - 1;
        self.0.get(place).map_or(f64::NAN, |micros| f64::from(*micros) / 1000.0)
    }
}

/// The memory of this process in mebibytes: now, and the most since [`forget_peak`].
pub(crate) fn memory() -> (f64, f64) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok()).map_or(f64::NAN, |kib| kib / 1024.0)
    };
    (field("VmRSS:"), field("VmHWM:"))
}

/// Begins a new peak.
pub(crate) fn forget_peak() {
    let _ = std::fs::write("/proc/self/clear_refs", "5"); // where it is refused, the peak is the process's
}
