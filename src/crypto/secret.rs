//! Secret bytes: wiped when dropped, never printed, compared in constant time.

use std::fmt;

use subtle::ConstantTimeEq as _;
use zeroize::{Zeroize as _, Zeroizing};

use super::random::Random;

/// `N` secret bytes. Kept on the heap so that moving the value leaves no copy behind.
///
/// There is no `Clone` and no `Serialize`: a copy of a secret is made on purpose, through
/// [`Secret::expose`], or not at all.
pub struct Secret<const N: usize>(Box<[u8; N]>);

/// The bytes are not a secret of the expected length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a key: expected {expected} bytes, written as {} hexadecimal characters", expected * 2)]
pub struct SecretError {
    /// How many bytes the key has.
    pub expected: usize,
}

impl<const N: usize> Secret<N> {
    /// Takes the bytes and wipes the caller's array.
    pub fn take(bytes: &mut [u8; N]) -> Self {
        let secret = Self(Box::new(*bytes));
        bytes.zeroize();
        secret
    }

    /// Makes a fresh random secret.
    pub fn random(random: &dyn Random) -> Self {
        Self::fill_with(|bytes| random.fill(bytes))
    }

    /// Makes a secret that `fill` writes in place.
    pub fn fill_with(fill: impl FnOnce(&mut [u8])) -> Self {
        let mut secret = Self(Box::new([0; N]));
        fill(secret.0.as_mut_slice());
        secret
    }

    /// Copies the bytes of a slice.
    ///
    /// # Errors
    ///
    /// [`SecretError`] unless the slice has `N` bytes.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, SecretError> {
        if bytes.len() == N {
            Ok(Self::fill_with(|out| out.copy_from_slice(bytes)))
        } else {
            Err(SecretError { expected: N })
        }
    }

    /// Reads the bytes from hexadecimal text, either case.
    ///
    /// # Errors
    ///
    /// [`SecretError`] unless the text is exactly `2 * N` hexadecimal characters.
    pub fn from_hex(text: &str) -> Result<Self, SecretError> {
        let error = SecretError { expected: N };
        let digits = text.as_bytes();
        if digits.len() != 2 * N || !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err(error);
        }
        let value = |digit: u8| match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => digit - b'A' + 10,
        };
        Ok(Self::fill_with(|out| {
            for (byte, pair) in out.iter_mut().zip(digits.chunks_exact(2)) {
                *byte = value(pair[0]) << 4 | value(pair[1]);
            }
        }))
    }

    /// The bytes. Name the reason where this is called.
    pub fn expose(&self) -> &[u8; N] {
        &self.0
    }

    /// The bytes as hexadecimal text, to write a key file. The text is wiped when dropped.
    pub fn expose_hex(&self) -> Zeroizing<String> {
        // Room for all of it from the start: growing would leave a copy behind.
        let mut text = Zeroizing::new(String::with_capacity(2 * N));
        for byte in self.0.iter() {
            for digit in [byte >> 4, byte & 15] {
                text.push(char::from(b"0123456789abcdef"[usize::from(digit)]));
            }
        }
        text
    }

    /// Whether the bytes look made by hand; see [`is_patterned`].
    pub fn is_patterned(&self) -> bool {
        is_patterned(self.0.as_slice())
    }
}

impl<const N: usize> Drop for Secret<N> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<const N: usize> PartialEq for Secret<N> {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_slice().ct_eq(other.0.as_slice()).into()
    }
}
impl<const N: usize> Eq for Secret<N> {}

impl<const N: usize> fmt::Debug for Secret<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

/// Whether key bytes look made by hand rather than at random: constant, counting by a fixed step,
/// readable ASCII, or with too few distinct values (under 20 in 32 bytes).
///
/// A random 32-byte key trips this with a probability below 1 in 10^9.
pub fn is_patterned(key: &[u8]) -> bool {
    let step = |pair: &[u8]| pair[1].wrapping_sub(pair[0]);
    let counting = key.len() > 2 && key.windows(2).all(|pair| step(pair) == step(&key[..2]));
    let ascii = !key.is_empty() && key.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\t' | b'\r' | b'\n'));
    let mut seen = [false; 256];
    for &byte in key {
        seen[usize::from(byte)] = true;
    }
    let distinct = seen.iter().filter(|&&present| present).count();
    counting || ascii || distinct * 8 < key.len() * 5
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::random::SystemRandom;

    #[test]
    fn a_secret_prints_nothing_of_itself() {
        let secret = Secret::<4>::from_slice(&[0xde, 0xad, 0xbe, 0xef]).expect("four bytes");
        assert_eq!(format!("{secret:?}"), "Secret(redacted)");
    }

    #[test]
    fn taking_bytes_wipes_the_callers_copy() {
        let mut bytes = [7u8; 16];
        let secret = Secret::take(&mut bytes);
        assert_eq!(bytes, [0; 16]);
        assert_eq!(secret.expose(), &[7; 16]);
    }

    #[test]
    fn only_hexadecimal_of_the_right_length_is_a_key() {
        let secret = Secret::<2>::from_hex("0aFf").expect("hexadecimal");
        assert_eq!(secret.expose(), &[0x0a, 0xff]);
        assert_eq!(secret.expose_hex().as_str(), "0aff");
        for bad in ["", "0af", "0aff0", "0agf", "0x0a", " 0af"] {
            assert_eq!(Secret::<2>::from_hex(bad), Err(SecretError { expected: 2 }), "{bad}");
        }
    }

    #[test]
    fn equality_looks_at_every_byte() {
        let one = Secret::<3>::from_slice(&[1, 2, 3]).expect("three");
        assert!(one == Secret::from_slice(&[1, 2, 3]).expect("three"));
        for other in [[0, 2, 3], [1, 0, 3], [1, 2, 0]] {
            assert!(one != Secret::from_slice(&other).expect("three"));
        }
    }

    #[test]
    fn patterned_keys_are_recognised_and_random_ones_are_not() {
        let counting: Vec<u8> = (0..32).collect();
        let descending: Vec<u8> = (0..32).map(|i| 200 - 3 * i).collect();
        let few: Vec<u8> = (0..32u8).map(|i| (i % 19).wrapping_mul(37) ^ 0xa5).collect();
        let cases: [(&str, &[u8]); 5] = [
            ("constant", &[9; 32]),
            ("counting", &counting),
            ("descending by three", &descending),
            ("ASCII", b"correct horse battery staple 123"),
            ("19 distinct values", &few),
        ];
        for (name, key) in cases {
            assert!(is_patterned(key), "{name}");
        }
        for _ in 0..1_000 {
            assert!(!Secret::<32>::random(&SystemRandom::new()).is_patterned());
        }
    }
}
