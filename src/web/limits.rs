//! How long a request may take, and how many a caller may make.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::time::Instant;

use crate::web::problem::{Problem, kinds};
use crate::web::request_id::route_of;

/// How long requests may take, by route template.
#[derive(Debug, Clone)]
pub struct RequestLimits {
    /// For routes that are not listed.
    pub timeout: Duration,
    /// Longer or shorter times for single routes, such as uploads.
    pub by_route: Vec<(&'static str, Duration)>,
}

impl Default for RequestLimits {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(30), by_route: Vec::new() }
    }
}

/// Middleware: ends a request that takes too long. What a detached task has begun goes on.
pub async fn within_time(State(limits): State<Arc<RequestLimits>>, request: Request, next: Next) -> Response {
    let route = route_of(&request);
    let own = limits.by_route.iter().find(|(template, _)| *template == route);
    let timeout = own.map_or(limits.timeout, |(_, timeout)| *timeout);
    match tokio::time::timeout(timeout, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::new(kinds::TIMEOUT).retry_after(Duration::from_secs(1)).into_response(),
    }
}

/// How many requests a caller may make.
#[derive(Debug, Clone, Copy)]
pub struct RatePolicy {
    /// How many at once after a pause.
    pub burst: u32,
    /// How many a second in the long run.
    pub per_second: f64,
}

/// Counts requests by caller in a token bucket each.
///
/// The memory is bounded: when many callers are known, those whose bucket is full again are
/// forgotten, which changes nothing for them. The count is this process's own; several replicas
/// each get their share of the policy.
pub struct RateLimiter {
    policy: RatePolicy,
    most_callers: usize,
    buckets: Mutex<HashMap<String, Bucket>>,
}

struct Bucket {
    left: f64,
    at: Instant,
}

impl RateLimiter {
    /// A limiter that holds every caller to one policy. Rates below one request an hour are raised to that.
    pub fn new(policy: RatePolicy) -> Self {
        let policy = RatePolicy { burst: policy.burst.max(1), per_second: policy.per_second.max(1.0 / 3600.0) };
        Self { policy, most_callers: 10_000, buckets: Mutex::default() }
    }

    /// Counts one request of this caller and says whether it may go on.
    ///
    /// The caller is a client id or a certificate fingerprint: something authenticated, so that nobody
    /// can spend another's share.
    pub fn check(&self, caller: &str) -> RateDecision {
        let now = Instant::now();
        let burst = f64::from(self.policy.burst);
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= self.most_callers && !buckets.contains_key(caller) {
            buckets.retain(|_, bucket| self.refilled(bucket, now) < burst);
        }
        let bucket = buckets.entry(caller.to_owned()).or_insert(Bucket { left: burst, at: now });
        bucket.left = self.refilled(bucket, now);
        bucket.at = now;
        let allowed = bucket.left >= 1.0;
        if allowed {
            bucket.left -= 1.0;
        }
        let until = |target: f64| Duration::from_secs_f64(((target - bucket.left) / self.policy.per_second).max(0.0));
        RateDecision {
            allowed,
            quota: self.policy.burst,
            window: Duration::from_secs_f64(burst / self.policy.per_second),
            remaining: bucket.left as u32,
            next_in: until(1.0),
        }
    }

    fn refilled(&self, bucket: &Bucket, now: Instant) -> f64 {
        let earned = now.saturating_duration_since(bucket.at).as_secs_f64() * self.policy.per_second;
        (bucket.left + earned).min(f64::from(self.policy.burst))
    }
}

/// Whether a request may go on, and what to tell the caller about it.
#[derive(Debug, Clone, Copy)]
pub struct RateDecision {
    allowed: bool,
    quota: u32,
    window: Duration,
    remaining: u32,
    next_in: Duration,
}

impl RateDecision {
    /// Whether the request may go on.
    pub fn is_allowed(&self) -> bool {
        self.allowed
    }

    /// How many requests are left at once.
    pub fn remaining(&self) -> u32 {
        self.remaining
    }

    /// Nothing if the request may go on, else the problem to answer with.
    pub fn into_result(self) -> Result<(), Problem> {
        if self.allowed { Ok(()) } else { Err(Problem::new(kinds::RATE_LIMITED).retry_after(self.next_in)) }
    }

    /// Writes `RateLimit-Policy` and `RateLimit` (IETF draft-ietf-httpapi-ratelimit-headers).
    pub fn write_headers(&self, headers: &mut HeaderMap) {
        let whole_seconds = |time: Duration| time.as_secs_f64().ceil().max(1.0) as u64;
        let policy = format!("\"default\";q={};w={}", self.quota, whole_seconds(self.window));
        let left = format!("\"default\";r={};t={}", self.remaining, whole_seconds(self.next_in));
        for (name, text) in [("ratelimit-policy", policy), ("ratelimit", left)] {
            // Digits, quotes and letters are always a valid value.
            if let Ok(value) = HeaderValue::from_str(&text) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_caller_gets_the_burst_then_the_rate_and_nobody_elses_share() {
        let limiter = RateLimiter::new(RatePolicy { burst: 3, per_second: 2.0 });
        let allowed = |caller| limiter.check(caller).is_allowed();
        assert_eq!([allowed("a"), allowed("a"), allowed("a"), allowed("a")], [true, true, true, false]);
        assert!(allowed("b"));
        tokio::time::advance(Duration::from_millis(500)).await;
        assert_eq!([allowed("a"), allowed("a")], [true, false]);
        tokio::time::advance(Duration::from_hours(1)).await;
        assert_eq!([allowed("a"), allowed("a"), allowed("a"), allowed("a")], [true, true, true, false]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_says_how_long_to_wait() {
        let limiter = RateLimiter::new(RatePolicy { burst: 1, per_second: 0.25 });
        limiter.check("a");
        let refused = limiter.check("a");
        let mut headers = HeaderMap::new();
        refused.write_headers(&mut headers);
        assert_eq!(headers["ratelimit"], "\"default\";r=0;t=4");
        assert_eq!(headers["ratelimit-policy"], "\"default\";q=1;w=4");
        let response = refused.into_result().expect_err("refused").into_response();
        assert_eq!(response.headers()["retry-after"], "4");
    }

    #[tokio::test(start_paused = true)]
    async fn memory_stays_bounded_and_the_busy_are_remembered() {
        let mut limiter = RateLimiter::new(RatePolicy { burst: 1, per_second: 1.0 });
        limiter.most_callers = 100;
        for n in 0..100 {
            limiter.check(&format!("caller-{n}"));
        }
        tokio::time::advance(Duration::from_secs(10)).await;
        assert!(limiter.check("caller-0").is_allowed());
        limiter.check("newcomer");
        assert_eq!(limiter.buckets.lock().expect("not poisoned").len(), 2);
        assert!(!limiter.check("caller-0").is_allowed());
    }
}
