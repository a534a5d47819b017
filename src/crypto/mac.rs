//! The two keyed constructions that everything else is made of: HMAC-SHA256 over a message built
//! part by part, and HKDF-SHA256.
//!
//! `lp(x)` is a 2-byte big-endian length and then x; integers are big-endian.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::secret::Secret;

/// HMAC-SHA256 in progress. Cloning it after the constant part of a message has gone in is what
/// makes bulk work fast: key schedule and prefix are paid once. Wiped on drop.
#[derive(Clone)]
pub(super) struct Keyed(Hmac<Sha256>);

impl Keyed {
    /// Starts a message under a key with its label.
    pub(super) fn new(key: &[u8], label: &str) -> Self {
        let mut mac = Hmac::new_from_slice(key).expect("HMAC takes a key of any length");
        mac.update(label.as_bytes());
        Self(mac)
    }

    pub(super) fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.update(bytes);
        self
    }

    /// Adds a length and the bytes.
    ///
    /// The length saturates at 65 535. That stays unambiguous because everything before the last
    /// part of a message is a code of at most 64 bytes or has a fixed length: only the last part
    /// can be longer, and two messages of different total length differ.
    pub(super) fn lp(self, bytes: &[u8]) -> Self {
        self.raw(&length(bytes)).raw(bytes)
    }

    pub(super) fn u16(self, number: u16) -> Self {
        self.raw(&number.to_be_bytes())
    }

    pub(super) fn u32(self, number: u32) -> Self {
        self.raw(&number.to_be_bytes())
    }

    /// The result for one last part. The state is copied once, and not moved from call to call.
    pub(super) fn finish_with(&self, bytes: &[u8]) -> [u8; 32] {
        let mut mac = self.0.clone();
        mac.update(bytes);
        mac.finalize().into_bytes().into()
    }

    /// As [`Keyed::finish_with`], for a part with its length.
    pub(super) fn finish_with_lp(&self, bytes: &[u8]) -> [u8; 32] {
        let mut mac = self.0.clone();
        mac.update(&length(bytes));
        mac.update(bytes);
        mac.finalize().into_bytes().into()
    }

    pub(super) fn finish(self) -> [u8; 32] {
        self.0.finalize().into_bytes().into()
    }

    /// The first `N` bytes of the result, `N` at most 32.
    pub(super) fn finish_short<const N: usize>(self) -> [u8; N] {
        let full = self.finish();
        std::array::from_fn(|i| full[i])
    }
}

/// Appends a length and the bytes, as [`Keyed::lp`] does.
pub(super) fn push_lp(message: &mut Vec<u8>, bytes: &[u8]) {
    message.extend_from_slice(&length(bytes));
    message.extend_from_slice(bytes);
}

fn length(bytes: &[u8]) -> [u8; 2] {
    u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_be_bytes()
}

/// HKDF-SHA256 with a 32-byte result.
pub(super) fn derive_key(ikm: &[u8], salt: &[u8], info: &[u8]) -> Secret<32> {
    let mut key = Zeroizing::new([0u8; 32]);
    ring::hkdf::Salt::new(ring::hkdf::HKDF_SHA256, salt)
        .extract(ikm)
        .expand(&[info], ring::hkdf::HKDF_SHA256)
        .and_then(|okm| okm.fill(key.as_mut_slice()))
        .expect("32 bytes are the length of one HKDF-SHA256 block");
    Secret::take(&mut key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_told_apart_by_their_lengths() {
        let mac = |a: &[u8], b: &[u8]| Keyed::new(&[1; 32], "label").lp(a).lp(b).finish();
        assert_ne!(mac(b"ab", b"c"), mac(b"a", b"bc"));
        assert_ne!(mac(b"", b"abc"), mac(b"abc", b""));
    }

    #[test]
    fn a_value_longer_than_its_length_field_still_differs_from_every_other() {
        let mac = |length: usize| Keyed::new(&[1; 32], "label").lp(&vec![0; length]).finish();
        assert_ne!(mac(65_535), mac(65_536));
        assert_ne!(mac(65_536), mac(65_537));
    }

    #[test]
    fn a_cloned_state_gives_the_same_as_a_fresh_one() {
        let prepared = Keyed::new(&[3; 32], "label").lp(b"prefix");
        for value in [b"one", b"two"] {
            let fresh = Keyed::new(&[3; 32], "label").lp(b"prefix").lp(value).finish();
            assert_eq!(prepared.clone().lp(value).finish(), fresh);
            assert_eq!(prepared.finish_with_lp(value), fresh);
            assert_eq!(prepared.finish_with(&[&[0, 3][..], value].concat()), fresh);
        }
    }
}
