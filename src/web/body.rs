//! Reading bodies within limits: size, rows, length of a line, and time.
//!
//! Compressed bodies are refused, so a limit on what arrives is a limit on what is read. The time
//! limits count only the time spent waiting for the peer, never the time our own work takes.

use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::http::{HeaderMap, header};
use bytes::{Buf as _, Bytes, BytesMut};
use futures_util::StreamExt as _;
use tokio::time::Instant;

use crate::web::problem::{Problem, kinds};

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

/// Limits of a body with one record a line.
#[derive(Debug, Clone, Copy)]
pub struct LineLimits {
    /// The longest line, its end not counted.
    pub line_bytes: usize,
    /// The longest body.
    pub total_bytes: u64,
    /// The most lines that are not empty.
    pub rows: u64,
    /// How fast it has to arrive.
    pub pace: Pace,
}

impl Default for LineLimits {
    fn default() -> Self {
        Self { line_bytes: 64 * 1024, total_bytes: 4 << 30, rows: 2_000_000, pace: Pace::default() }
    }
}

/// One line of a body.
#[derive(Clone, PartialEq, Eq)]
pub struct Line {
    /// Its number, from 1, empty lines counted.
    pub number: u64,
    /// Its bytes without the line end.
    pub bytes: Bytes,
}

/// Reads newline-delimited records one at a time, holding at most one line and one network read.
pub struct NdjsonLines {
    pieces: Pieces,
    limits: LineLimits,
    buffer: BytesMut,
    searched: usize,
    number: u64,
    rows: u64,
    ended: bool,
}

impl NdjsonLines {
    /// Starts reading; refuses a compressed body and one whose declared length is too large.
    pub fn new(headers: &HeaderMap, body: Body, limits: LineLimits) -> Result<Self, BodyError> {
        refuse_codings(headers)?;
        let pieces = Pieces::new(headers, body, limits.total_bytes, limits.pace)?;
        Ok(Self { pieces, limits, buffer: BytesMut::new(), searched: 0, number: 0, rows: 0, ended: false })
    }

    /// The next line that is not empty; `None` at the end. After an error, reads no further.
    pub async fn next_line(&mut self) -> Result<Option<Line>, BodyError> {
        while let Some(bytes) = self.raw_line().await? {
            let bytes = trimmed(bytes, self.number == 1);
            if bytes.is_empty() {
                continue;
            }
            self.rows += 1;
            if self.rows > self.limits.rows {
                return self.refuse(BodyError::TooManyRows { limit: self.limits.rows });
            }
            return Ok(Some(Line { number: self.number, bytes }));
        }
        Ok(None)
    }

    /// How many bytes have arrived.
    pub fn bytes_read(&self) -> u64 {
        self.pieces.received
    }

    async fn raw_line(&mut self) -> Result<Option<Bytes>, BodyError> {
        loop {
            if let Some(found) = self.buffer[self.searched..].iter().position(|&byte| byte == b'\n') {
                let length = self.searched + found;
                self.searched = 0;
                self.number += 1;
                if length > self.limits.line_bytes {
                    return self.refuse(self.line_too_long(self.number));
                }
                let line = self.buffer.split_to(length).freeze();
                self.buffer.advance(1);
                return Ok(Some(line));
            }
            self.searched = self.buffer.len();
            if self.searched > self.limits.line_bytes {
                return self.refuse(self.line_too_long(self.number + 1));
            }
            if self.ended {
                self.searched = 0;
                self.number += 1;
                let rest = self.buffer.split().freeze();
                return Ok((!rest.is_empty()).then_some(rest));
            }
            match self.pieces.next().await {
                Ok(Some(piece)) => self.buffer.extend_from_slice(&piece),
                Ok(None) => self.ended = true,
                Err(error) => return self.refuse(error),
            }
        }
    }

    fn line_too_long(&self, line: u64) -> BodyError {
        BodyError::LineTooLong { line, limit: self.limits.line_bytes }
    }

    fn refuse<T>(&mut self, error: BodyError) -> Result<T, BodyError> {
        self.ended = true;
        self.buffer.clear();
        self.searched = 0;
        if !matches!(error, BodyError::TooSlow | BodyError::Incomplete | BodyError::TooLarge { .. }) {
            self.pieces.linger();
        }
        Err(error)
    }
}

/// Drops the carriage return of a spreadsheet's line end and the byte-order mark of its first line.
fn trimmed(mut line: Bytes, is_first: bool) -> Bytes {
    if line.ends_with(b"\r") {
        line.truncate(line.len() - 1);
    }
    if is_first && line.starts_with(b"\xef\xbb\xbf") {
        line.advance(3);
    }
    if line.iter().all(u8::is_ascii_whitespace) { Bytes::new() } else { line }
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
    use proptest::prelude::*;

    use super::*;

    fn body_of(pieces: Vec<Vec<u8>>) -> Body {
        Body::from_stream(stream::iter(pieces.into_iter().map(|piece| Ok::<_, Infallible>(Bytes::from(piece)))))
    }

    async fn lines_of(pieces: Vec<Vec<u8>>, limits: LineLimits) -> Result<Vec<(u64, Vec<u8>)>, BodyError> {
        let mut lines = NdjsonLines::new(&HeaderMap::new(), body_of(pieces), limits)?;
        let mut all = Vec::new();
        while let Some(line) = lines.next_line().await? {
            all.push((line.number, line.bytes.to_vec()));
        }
        assert_eq!(lines.next_line().await?.map(|line| line.number), None, "the end stays the end");
        Ok(all)
    }

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime").block_on(future)
    }

    #[tokio::test]
    async fn windows_line_ends_a_byte_order_mark_and_empty_lines_are_no_rows() {
        let text = b"\xef\xbb\xbf{\"a\":1}\r\n\r\n  \n{\"b\":2}".to_vec();
        let lines = lines_of(vec![text], LineLimits::default()).await.expect("within limits");
        assert_eq!(lines, [(1, b"{\"a\":1}".to_vec()), (4, b"{\"b\":2}".to_vec())]);
    }

    #[tokio::test]
    async fn each_limit_refuses_with_its_own_error() {
        let limits = LineLimits { line_bytes: 4, total_bytes: 12, rows: 2, pace: Pace::default() };
        let cases: [(&[u8], BodyError); 4] = [
            (b"12345\n", BodyError::LineTooLong { line: 1, limit: 4 }),
            (b"1\n12345", BodyError::LineTooLong { line: 2, limit: 4 }),
            (b"1\n2\n3\n", BodyError::TooManyRows { limit: 2 }),
            (b"1234\n1234\n1234", BodyError::TooLarge { limit: 12 }),
        ];
        for (text, expected) in cases {
            for pieces in [vec![text.to_vec()], text.chunks(1).map(<[u8]>::to_vec).collect()] {
                assert_eq!(lines_of(pieces, limits).await, Err(expected), "{expected}");
            }
        }
        assert!(lines_of(vec![b"1234\n1234\n\n".to_vec()], limits).await.is_ok(), "exactly at the limits");
    }

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

    #[tokio::test(start_paused = true)]
    async fn our_own_slowness_is_not_the_peers() {
        let rows: Vec<_> = (0..10).map(|n| format!("{n}\n").into_bytes()).collect();
        let mut lines =
            NdjsonLines::new(&HeaderMap::new(), body_of(rows), LineLimits::default()).expect("within limits");
        let mut count = 0;
        while lines.next_line().await.expect("never too slow").is_some() {
            tokio::time::sleep(Duration::from_mins(1)).await;
            count += 1;
        }
        assert_eq!(count, 10);
    }

    proptest! {
        #[test]
        fn lines_do_not_depend_on_how_the_body_was_cut(
            rows in proptest::collection::vec("[a-z{}\",:]{1,30}", 0..20),
            cuts in proptest::collection::vec(1usize..40, 1..30),
        ) {
            let text = rows.join("\n").into_bytes();
            let mut pieces = Vec::new();
            let mut rest = text.as_slice();
            for cut in cuts.iter().cycle().take(1000) {
                let (piece, after) = rest.split_at((*cut).min(rest.len()));
                pieces.push(piece.to_vec());
                rest = after;
                if rest.is_empty() { break; }
            }
            let lines = run(lines_of(pieces, LineLimits::default())).expect("within limits");
            let read: Vec<_> = lines.into_iter().map(|(_, bytes)| bytes).collect();
            let sent: Vec<_> = rows.into_iter().map(String::into_bytes).collect();
            prop_assert_eq!(read, sent);
        }
    }
}
