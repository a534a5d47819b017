//! Bodies with one record a line.

use axum::body::Body;
use axum::http::HeaderMap;
use bytes::{Buf as _, Bytes, BytesMut};

use super::{BodyError, Pace, Pieces, refuse_codings};

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

    /// Lowers the limits by what came in earlier bodies of the same file. What this body brought already
    /// counts on.
    pub fn count_earlier(&mut self, rows: u64, bytes: u64) {
        self.limits.rows = self.limits.rows.saturating_sub(rows);
        self.pieces.limit = self.pieces.limit.saturating_sub(bytes);
    }

    /// Gives up on the rest, so that the caller gets to read why.
    pub fn give_up(mut self) {
        self.pieces.linger();
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

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::time::Duration;

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
    async fn what_came_in_earlier_bodies_counts() {
        let limits = LineLimits { rows: 5, total_bytes: 8, ..LineLimits::default() };
        for (earlier, expected) in [
            ((3, 0), Err(BodyError::TooManyRows { limit: 2 })),
            ((2, 0), Ok(3)),
            ((0, 2), Ok(3)),
            ((0, 3), Err(BodyError::TooLarge { limit: 5 })),
            ((9, 0), Err(BodyError::TooManyRows { limit: 0 })),
        ] {
            let pieces = b"1\n2\n3\n".chunks(2).map(<[u8]>::to_vec).collect();
            let mut lines = NdjsonLines::new(&HeaderMap::new(), body_of(pieces), limits).expect("within limits");
            let first = lines.next_line().await.expect("within limits").expect("a line");
            lines.count_earlier(earlier.0, earlier.1);
            let mut last = Ok(first.number);
            while last.is_ok() {
                match lines.next_line().await {
                    Ok(Some(line)) => last = Ok(line.number),
                    Ok(None) => break,
                    Err(error) => last = Err(error),
                }
            }
            assert_eq!(last, expected, "{earlier:?}");
        }
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
