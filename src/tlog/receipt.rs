//! Receipts: the gateway's signed promise that an entry will be in the log.
//!
//! The recipient of an answer keeps it. A receipt without its entry proves that the log misbehaved.
//!
//! ```text
//! porth-receipt/v1
//! gw.example.gov.uk/2026
//! 0199b4a0-7c00-7000-8000-000000000001
//! sFodV/vSp5O8n9a8QpW6PRY97tfOSW5bsc2Xl/EQi08=
//! 2026-09-20T10:15:00.000000Z
//! ```

use super::checkpoint::is_origin;
use super::merkle::Hash;
use super::note::{NoteError, NoteSigner, NoteVerifier, SignedNote};
use crate::domain::ids::EventId;
use crate::domain::time::Timestamp;

const TITLE: &str = "porth-receipt/v1";

/// Why bytes are no receipt that we accept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// Not the five lines.
    #[error("not a receipt: a title, an origin, an event id, a leaf hash and a time are due")]
    Malformed,
    /// Another log's.
    #[error("the receipt is of another log")]
    OtherOrigin,
    /// The note around it.
    #[error(transparent)]
    Note(#[from] NoteError),
}

/// A promise that an entry will be in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Which log.
    pub origin: String,
    /// The entry's event.
    pub event: EventId,
    /// The entry's hash.
    pub leaf: Hash,
    /// When the entry was committed.
    pub at: Timestamp,
}

impl Receipt {
    /// Parses a note's text.
    ///
    /// # Errors
    ///
    /// [`ReceiptError::Malformed`] for any text that [`Receipt::text`] would not write.
    pub fn parse(text: &str) -> Result<Self, ReceiptError> {
        let malformed = ReceiptError::Malformed;
        let lines: Vec<&str> = text.split('\n').collect();
        let [TITLE, origin, event, leaf, at, ""] = lines[..] else { return Err(malformed) };
        let receipt = Self {
            origin: origin.to_owned(),
            event: event.parse().map_err(|_| malformed)?,
            leaf: Hash::parse(leaf).ok_or(malformed)?,
            at: at.parse().map_err(|_| malformed)?,
        };
        if is_origin(origin) && receipt.text() == text { Ok(receipt) } else { Err(malformed) }
    }

    /// Parses a signed receipt of this log and believes it if one of the receipt keys signed it.
    ///
    /// # Errors
    ///
    /// [`ReceiptError`] otherwise.
    pub fn open(note: &[u8], origin: &str, receipt_keys: &[&dyn NoteVerifier]) -> Result<Self, ReceiptError> {
        let note = SignedNote::parse(note)?;
        note.verify(receipt_keys)?;
        let receipt = Self::parse(note.text())?;
        if receipt.origin == origin { Ok(receipt) } else { Err(ReceiptError::OtherOrigin) }
    }

    /// Signs the receipt, once the entry is durable.
    ///
    /// # Errors
    ///
    /// [`NoteError`] if the key cannot sign.
    pub fn sign(&self, signer: &dyn NoteSigner) -> Result<SignedNote, NoteError> {
        SignedNote::sign(self.text(), &[signer])
    }

    /// The note's text.
    pub fn text(&self) -> String {
        format!("{TITLE}\n{}\n{}\n{}\n{}\n", self.origin, self.event, self.leaf, self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tlog::checkpoint::Checkpoint;
    use crate::tlog::merkle::leaf_hash;
    use crate::tlog::testing::{self, TestKey};

    fn receipt() -> Receipt {
        let origin = "gw.example/2026".to_owned();
        Receipt { origin, event: testing::event(1), leaf: leaf_hash(b"entry"), at: testing::at(1) }
    }

    #[test]
    fn a_receipt_is_believed_by_its_key_and_origin_only() {
        let key = TestKey::new("receipts.gw.example", 1);
        let note = receipt().sign(&key).expect("signs").to_string();
        assert_eq!(Receipt::open(note.as_bytes(), "gw.example/2026", &[&key]), Ok(receipt()));
        assert_eq!(Receipt::open(note.as_bytes(), "gw.example/2027", &[&key]), Err(ReceiptError::OtherOrigin));
        let other = TestKey::new("receipts.gw.example", 2);
        assert!(Receipt::open(note.as_bytes(), "gw.example/2026", &[&other]).is_err());
    }

    #[test]
    fn no_flipped_bit_of_a_receipt_is_accepted() {
        let key = TestKey::new("receipts", 1);
        let bytes = receipt().sign(&key).expect("signs").to_string().into_bytes();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(Receipt::open(&flipped, "gw.example/2026", &[&key]).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_receipt_is_no_checkpoint_and_the_other_way_round() {
        assert!(Checkpoint::parse(&receipt().text()).is_err());
        let checkpoint = Checkpoint { origin: "gw.example/2026".to_owned(), size: 5, root: leaf_hash(b"") };
        assert_eq!(Receipt::parse(&checkpoint.text()), Err(ReceiptError::Malformed));
    }

    #[test]
    fn other_spellings_are_refused() {
        let good = receipt().text();
        for bad in [
            good.replace("v1", "v2"),
            good.replace(&receipt().event.to_string(), &receipt().event.to_string().to_uppercase().replace('-', "")),
            good.replace(".000001Z", "Z"),
            good.clone() + "more\n",
            good.trim_end().to_owned(),
        ] {
            assert!(Receipt::parse(&bad).is_err(), "{bad:?}");
        }
    }
}
