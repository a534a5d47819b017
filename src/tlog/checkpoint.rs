//! Checkpoints: what a log says its tree is (C2SP tlog-checkpoint).
//!
//! ```text
//! gw.example.gov.uk/2026
//! 70000
//! sFodV/vSp5O8n9a8QpW6PRY97tfOSW5bsc2Xl/EQi08=
//! ```

use super::merkle::{Hash, empty_root};
use super::note::{NoteError, NoteSigner, NoteVerifier, SignedNote};

/// Why a text is no checkpoint that we accept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// Not the three lines.
    #[error("not a checkpoint: three lines are due, an origin, a size and a root hash")]
    Malformed,
    /// Another log's.
    #[error("the checkpoint is of another log")]
    OtherOrigin,
    /// The note around it.
    #[error(transparent)]
    Note(#[from] NoteError),
}

/// The head of a log's tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log, such as `gw.example.gov.uk/2026`.
    pub origin: String,
    /// How many entries.
    pub size: u64,
    /// The root hash of the tree over them.
    pub root: Hash,
}

impl Checkpoint {
    /// Parses a note's text. Extension lines are refused: no monitor could audit them.
    ///
    /// # Errors
    ///
    /// [`CheckpointError::Malformed`] for any text that [`Checkpoint::text`] would not write.
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let malformed = CheckpointError::Malformed;
        let mut lines = text.strip_suffix('\n').ok_or(malformed)?.split('\n');
        let origin = lines.next().filter(|line| is_origin(line)).ok_or(malformed)?;
        let size = lines.next().and_then(parse_decimal).ok_or(malformed)?;
        let root = lines.next().and_then(Hash::parse).ok_or(malformed)?;
        let is_whole = lines.next().is_none() && (size > 0 || root == empty_root());
        if is_whole { Ok(Self { origin: origin.to_owned(), size, root }) } else { Err(malformed) }
    }

    /// Parses a signed checkpoint of this log and believes it if one of the log's keys signed it.
    ///
    /// # Errors
    ///
    /// [`CheckpointError`] otherwise.
    pub fn open(
        note: &[u8],
        origin: &str,
        log_keys: &[&dyn NoteVerifier],
    ) -> Result<(Self, SignedNote), CheckpointError> {
        let note = SignedNote::parse(note)?;
        note.verify(log_keys)?;
        let checkpoint = Self::parse(note.text())?;
        if checkpoint.origin == origin { Ok((checkpoint, note)) } else { Err(CheckpointError::OtherOrigin) }
    }

    /// Signs the checkpoint. The signer must never sign two that are inconsistent.
    ///
    /// # Errors
    ///
    /// [`NoteError`] if the origin cannot stand in a note or a key cannot sign.
    pub fn sign(&self, signers: &[&dyn NoteSigner]) -> Result<SignedNote, NoteError> {
        if !is_origin(&self.origin) {
            return Err(NoteError::Malformed("an origin is printable ASCII without spaces, quotes, '\\' or '+'"));
        }
        SignedNote::sign(self.text(), signers)
    }

    /// The note's text.
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, self.root)
    }
}

/// Whether a text can be a log's origin: it stands in notes, entries and signature lines as it is.
pub fn is_origin(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_graphic() && !matches!(b, b'+' | b'"' | b'\\');
    (1..=200).contains(&text.len()) && text.bytes().all(allowed) && !text.bytes().all(|b| b.is_ascii_digit())
}

/// A decimal number without sign or leading zeros.
pub(super) fn parse_decimal(text: &str) -> Option<u64> {
    let is_plain = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tlog::merkle::leaf_hash;
    use crate::tlog::testing::TestKey;

    fn checkpoint() -> Checkpoint {
        Checkpoint { origin: "gw.example/2026".to_owned(), size: 5, root: leaf_hash(b"") }
    }

    #[test]
    fn a_checkpoint_reads_back_as_written() {
        assert_eq!(Checkpoint::parse(&checkpoint().text()), Ok(checkpoint()));
        let empty = Checkpoint { size: 0, root: empty_root(), ..checkpoint() };
        assert_eq!(Checkpoint::parse(&empty.text()), Ok(empty));
    }

    #[test]
    fn other_texts_are_refused() {
        let good = checkpoint().text();
        for bad in [
            String::new(),
            good.trim_end().to_owned(),
            good.clone() + "extension\n",
            good.clone() + "\n",
            good.replace("\n5\n", "\n05\n"),
            good.replace("\n5\n", "\n+5\n"),
            good.replace("\n5\n", "\n0\n"),
            good.replace("\n5\n", "\n99999999999999999999\n"),
            good.replace('=', ""),
            good.replace("gw.example/2026", ""),
            good.replace("gw.example/2026", "gw example"),
            good.replace("gw.example/2026", "2026"),
        ] {
            assert_eq!(Checkpoint::parse(&bad), Err(CheckpointError::Malformed), "{bad:?}");
        }
    }

    #[test]
    fn a_checkpoint_is_believed_by_its_log_key_and_origin_only() {
        let (key, other) = (TestKey::new("gw.example/2026", 1), TestKey::new("gw.example/2026", 2));
        let note = checkpoint().sign(&[&key]).expect("signs").to_string();
        let open =
            |origin: &str, key: &TestKey| Checkpoint::open(note.as_bytes(), origin, &[key]).map(|(read, _)| read);
        assert_eq!(open("gw.example/2026", &key), Ok(checkpoint()));
        assert_eq!(open("gw.example/2027", &key), Err(CheckpointError::OtherOrigin));
        assert_eq!(open("gw.example/2026", &other), Err(CheckpointError::Note(NoteError::NoTrustedSignature)));
    }
}
