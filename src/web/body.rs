//! Reading bodies within limits: size, rows, length of a line, and time.
//!
//! Compressed bodies are refused, so a limit on what arrives is a limit on what is read. The time
//! limits count only the time spent waiting for the peer, never the time our own work takes.

use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::http::{HeaderMap, header};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use tokio::time::Instant;

use crate::web::problem::{Problem, kinds};

mod lines;

pub use lines::{Line, LineLimits, NdjsonLines};

/// How much of a refused body is still read and thrown away, beside the answer, so that the caller
/// gets to read the refusal instead of a broken connection.
const LINGER_BYTES: u64 = 64 * 1024 * 1024;
/// For how long.
const LINGER: Duration = Duration::from_secs(10);

/// The largest body that a route reads whole. Set another with `.layer(Extension(BodyLimit::bytes(n)))`.
#[derive(Debug, Clone, Copy)]
pub struct BodyLimit {
    bytes: usize,
    pace: Pace,
}

impl BodyLimit {
    /// A limit in bytes, with the usual pace.
    pub fn bytes(bytes: usize) -> Self {
        Self { bytes, pace: Pace::default() }
    }

    /// The same limit with another pace.
    pub fn paced(mut self, pace: Pace) -> Self {
        self.pace = pace;
        self
    }
}

impl Default for BodyLimit {
    fn default() -> Self {
        Self::bytes(256 * 1024)
    }
}

/// How fast a body has to arrive.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// The longest wait for the next piece.
    pub idle: Duration,
    /// The slowest average, in bytes a second, once `grace` has been spent waiting.
    pub bytes_per_second: u64,
    /// How long a body may be slower than that.
    pub grace: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { idle: Duration::from_secs(15), bytes_per_second: 1024, grace: Duration::from_secs(20) }
    }
}

/// Why a body was not read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// More bytes than allowed.
    #[error("the body is longer than {limit} bytes")]
    TooLarge {
        /// The limit that was passed.
        limit: u64,
    },
    /// A line longer than allowed.
    #[error("line {line} is longer than {limit} bytes")]
    LineTooLong {
        /// Which line, from 1.
        line: u64,
        /// The limit that was passed.
        limit: usize,
    },
    /// More rows than allowed.
    #[error("the body has more than {limit} rows")]
    TooManyRows {
        /// The limit that was passed.
        limit: u64,
    },
    /// The peer sent nothing, or too little, for too long.
    #[error("the body arrived too slowly")]
    TooSlow,
    /// The connection ended before the body did.
    #[error("the body ended before it was complete")]
    Incomplete,
    /// A coding such as gzip.
    #[error("the body is compressed")]
    Coded,
}

impl From<BodyError> for Problem {
    fn from(error: BodyError) -> Self {
        Self::new(match error {
            BodyError::TooLarge { .. } => kinds::TOO_LARGE,
            BodyError::LineTooLong { .. } => kinds::LINE_TOO_LONG,
            BodyError::TooManyRows { .. } => kinds::TOO_MANY_ROWS,
            BodyError::TooSlow => kinds::BODY_TIMEOUT,
            BodyError::Incomplete => kinds::BODY_INCOMPLETE,
            BodyError::Coded => kinds::UNSUPPORTED_CODING,
        })
        .detail(error)
    }
}

/// Reads a whole body that is known to be small.
pub async fn read_whole(headers: &HeaderMap, body: Body, limit: BodyLimit) -> Result<Bytes, BodyError> {
    refuse_codings(headers)?;
    let mut pieces = Pieces::new(headers, body, limit.bytes as u64, limit.pace)?;
    let mut whole = BytesMut::new();
    while let Some(piece) = pieces.next().await? {
        whole.extend_from_slice(&piece);
    }
    Ok(whole.freeze())
}

/// Refuses any content coding except the one that changes nothing.
fn refuse_codings(headers: &HeaderMap) -> Result<(), BodyError> {
    let codings = headers.get_all(header::CONTENT_ENCODING);
    let plain = codings.iter().all(|coding| coding.as_bytes().eq_ignore_ascii_case(b"identity"));
    if plain { Ok(()) } else { Err(BodyError::Coded) }
}

fn declared_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The pieces of a body as they arrive, held to a size and a pace.
struct Pieces {
    body: BodyDataStream,
    limit: u64,
    pace: Pace,
    received: u64,
    waited: Duration,
}

impl Pieces {
    /// Refuses a body whose declared length is too large before reading any of it.
    fn new(headers: &HeaderMap, body: Body, limit: u64, pace: Pace) -> Result<Self, BodyError> {
        let mut pieces = Self { body: body.into_data_stream(), limit, pace, received: 0, waited: Duration::ZERO };
        if declared_length(headers).is_none_or(|length| length <= limit) {
            return Ok(pieces);
        }
        // A caller that waits for `100 Continue` has sent nothing, and reading would invite it to.
        if !headers.contains_key(header::EXPECT) {
            pieces.linger();
        }
        Err(BodyError::TooLarge { limit })
    }

    async fn next(&mut self) -> Result<Option<Bytes>, BodyError> {
        let asked = Instant::now();
        let Ok(piece) = tokio::time::timeout(self.pace.idle, self.body.next()).await else {
            return Err(BodyError::TooSlow);
        };
        self.waited += asked.elapsed();
        let Some(piece) = piece else { return Ok(None) };
        let piece = piece.map_err(|_| BodyError::Incomplete)?;
        self.received += piece.len() as u64;
        if self.received > self.limit {
            self.linger();
            return Err(BodyError::TooLarge { limit: self.limit });
        }
        let least = self.pace.bytes_per_second.saturating_mul(self.waited.as_secs());
        if self.waited > self.pace.grace && self.received < least {
            return Err(BodyError::TooSlow);
        }
        Ok(Some(piece))
    }

    /// Throws away some of what still comes, beside the answer. Closing with unread bytes would reset
    /// the connection, and a caller that is still sending would never see why.
    fn linger(&mut self) {
        let mut body = std::mem::replace(&mut self.body, Body::empty().into_data_stream());
        let read = async move {
            let mut thrown_away = 0;
            while let Some(Ok(piece)) = body.next().await {
                thrown_away += piece.len() as u64;
                if thrown_away > LINGER_BYTES {
                    return;
                }
            }
        };
        tokio::spawn(tokio::time::timeout(LINGER, read)); // however it ends, the refusal is on its way
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::stream;

    use super::*;

    #[tokio::test]
    async fn a_compressed_body_is_refused_before_it_is_read() {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_ENCODING, "gzip".parse().expect("a header value"));
        let refused = read_whole(&headers, Body::from("x"), BodyLimit::default()).await;
        assert_eq!(refused, Err(BodyError::Coded));
        headers.insert(header::CONTENT_ENCODING, "Identity".parse().expect("a header value"));
        assert!(read_whole(&headers, Body::from("x"), BodyLimit::default()).await.is_ok());
    }

    #[tokio::test]
    async fn a_declared_length_over_the_limit_is_refused_even_if_the_body_is_short() {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_LENGTH, "11".parse().expect("a header value"));
        let refused = read_whole(&headers, Body::from("x"), BodyLimit::bytes(10)).await;
        assert_eq!(refused, Err(BodyError::TooLarge { limit: 10 }));
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_peer_and_a_dribbling_peer_are_both_too_slow() {
        let silent = Body::from_stream(stream::pending::<Result<Bytes, Infallible>>());
        assert_eq!(read_whole(&HeaderMap::new(), silent, BodyLimit::default()).await, Err(BodyError::TooSlow));

        let dribble = stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_secs(5)).await;
            Some((Ok::<_, Infallible>(Bytes::from_static(b"x")), ()))
        });
        let refused = read_whole(&HeaderMap::new(), Body::from_stream(dribble), BodyLimit::default()).await;
        assert_eq!(refused, Err(BodyError::TooSlow));
    }
}
