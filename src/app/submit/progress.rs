//! A digest that grows line by line: two sides that hold the same lines hold the same digest, and one
//! that stopped half way goes on from 32 bytes that tell nothing of a line.

use std::fmt;

use sha2::{Digest as _, Sha256};

/// Running SHA-256 over the lines of a file: that of the header, then for every line the SHA-256 of
/// the digest before it and the line.
///
/// Line ends, empty lines and a byte-order mark at the beginning do not count; see [`file_line`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct LineDigest([u8; 32]);

impl LineDigest {
    /// The digest of a file of which only the header is there.
    pub fn of_header(header: &[u8]) -> Self {
        Self(Sha256::digest(header).into())
    }

    /// A digest as it was kept.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Adds a line, without its line end.
    pub fn add(&mut self, line: &[u8]) {
        let mut hash = Sha256::new();
        hash.update(self.0);
        hash.update(line);
        self.0 = hash.finalize().into();
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for LineDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LineDigest({})", crate::app::policies::hex(&self.0))
    }
}

/// A raw line of a file, its line feed already taken off, as the digest counts it: `None` when it is
/// empty.
pub fn file_line(raw: &[u8], is_first: bool) -> Option<&[u8]> {
    let line = raw.strip_suffix(b"\r").unwrap_or(raw);
    let line = if is_first { line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line) } else { line };
    (!line.iter().all(u8::is_ascii_whitespace)).then_some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(lines: &[&[u8]]) -> LineDigest {
        let mut digest = LineDigest::of_header(lines[0]);
        lines[1..].iter().for_each(|line| digest.add(line));
        digest
    }

    #[test]
    fn every_line_its_place_and_where_it_ends_count() {
        let one = digest(&[b"h", b"a", b"b"]);
        assert_eq!(one, digest(&[b"h", b"a", b"b"]));
        for other in [&[b"h".as_slice(), b"b", b"a"][..], &[b"h", b"ab"], &[b"h", b"a"], &[b"x", b"a", b"b"]] {
            assert_ne!(one, digest(other));
        }
        let mut half = LineDigest::from_bytes(*digest(&[b"h", b"a"]).as_bytes());
        half.add(b"b");
        assert_eq!(half, one);
    }

    #[test]
    fn line_ends_and_empty_lines_do_not_count() {
        assert_eq!(file_line(b"\xef\xbb\xbf{}\r", true), Some(&b"{}"[..]));
        assert_eq!(file_line(b"\xef\xbb\xbf{}", false), Some(&b"\xef\xbb\xbf{}"[..]));
        for empty in [&b""[..], b"\r", b"  \t"] {
            assert_eq!(file_line(empty, false), None);
        }
    }
}
