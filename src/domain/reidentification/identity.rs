//! What an envelope holds: the fields that were asked for, and nothing else. Only the source that
//! seals it and the data team that opens it ever have one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use zeroize::{Zeroize as _, Zeroizing};

use super::Field;

/// An identity, as far as it was asked for. It has no `Debug`: nothing prints one by accident.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub struct Identity(BTreeMap<Field, String>);

/// The plaintext is padded to one of these lengths, so that the ciphertext's says little.
pub const PADDED: [usize; 2] = [512, 1024];

impl Identity {
    /// These fields; empty ones are left out.
    pub fn new(fields: impl IntoIterator<Item = (Field, String)>) -> Self {
        Self(fields.into_iter().filter(|(_, text)| !text.trim().is_empty()).collect())
    }

    /// Field by field.
    pub fn fields(&self) -> impl Iterator<Item = (Field, &str)> {
        self.0.iter().map(|(field, text)| (*field, text.as_str()))
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The plaintext that is sealed.
    pub fn plaintext(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(serde_json::to_vec(self).unwrap_or_default()) // a map of texts has a form
    }

    /// Reads what was sealed.
    pub fn parse(plaintext: &[u8]) -> Option<Self> {
        serde_json::from_slice(plaintext).ok()
    }

    /// The length that it is padded to; `None` when it is too long for either.
    pub fn padded_length(plaintext: &[u8]) -> Option<usize> {
        PADDED.into_iter().find(|length| plaintext.len() < *length)
    }
}

impl Drop for Identity {
    fn drop(&mut self) {
        for text in self.0.values_mut() {
            text.zeroize();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_reads_back_as_written_without_what_is_empty() {
        let written = Identity::new([(Field::Names, "Jowan Example".to_owned()), (Field::Contact, " ".to_owned())]);
        let read = Identity::parse(&written.plaintext()).expect("its own form");
        assert_eq!(read.fields().collect::<Vec<_>>(), [(Field::Names, "Jowan Example")]);
        assert!(Identity::parse(b"{\"shoe_size\":\"9\"}").is_none());
    }

    #[test]
    fn there_are_two_lengths() {
        for (length, padded) in [(0, Some(512)), (511, Some(512)), (512, Some(1024)), (1023, Some(1024)), (1024, None)]
        {
            assert_eq!(Identity::padded_length(&vec![b'x'; length]), padded, "{length}");
        }
    }
}
