//! Single-use sealing: a fresh AES-256-GCM key for every message, derived from a long-lived key and
//! a random 32-byte salt. The key is used once, so the nonce is always zero and no count is kept.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use zeroize::Zeroizing;

use super::mac::derive_key;
use super::random::{Random, random_bytes};
use super::secret::Secret;

/// Bytes that sealing adds: the salt and the tag.
pub(super) const OVERHEAD: usize = SALT + TAG;
const SALT: usize = 32;
const TAG: usize = 16;

/// Seals: salt, then ciphertext and tag. `info` says what the message is and where it belongs; it
/// goes into both the key and the associated data.
pub(super) fn seal(random: &dyn Random, key: &Secret<32>, info: &[u8], plaintext: &[u8]) -> Vec<u8> {
    let salt: [u8; SALT] = random_bytes(random);
    // Room for the tag from the start: growing later would leave a copy of the plaintext behind.
    let mut sealed = Vec::with_capacity(plaintext.len() + OVERHEAD);
    sealed.extend_from_slice(&salt);
    sealed.extend_from_slice(plaintext);
    let tag = message_key(key, &salt, info)
        .seal_in_place_separate_tag(zero_nonce(), Aad::from(info), &mut sealed[SALT..])
        .expect("AES-256-GCM takes any plaintext under 64 GiB");
    sealed.extend_from_slice(tag.as_ref());
    sealed
}

/// Opens what [`seal`] made; `None` if it was made under another key, for another place, or altered.
pub(super) fn open(key: &Secret<32>, info: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (salt, ciphertext) = sealed.split_at_checked(SALT)?;
    let mut buffer = Zeroizing::new(ciphertext.to_vec());
    let length =
        message_key(key, salt, info).open_in_place(zero_nonce(), Aad::from(info), buffer.as_mut_slice()).ok()?.len();
    buffer.truncate(length);
    Some(buffer)
}

/// Pads to exactly `length` bytes: 0x80 and zeros (ISO/IEC 7816-4), which every reader undoes the
/// same way. `None` if there is no room for at least one byte of padding.
pub(super) fn pad(plaintext: &[u8], length: usize) -> Option<Zeroizing<Vec<u8>>> {
    if plaintext.len() >= length {
        return None;
    }
    let mut padded = Zeroizing::new(vec![0; length]);
    padded[..plaintext.len()].copy_from_slice(plaintext);
    padded[plaintext.len()] = 0x80;
    Some(padded)
}

/// Undoes [`pad`]; `None` if the bytes do not end in 0x80 and zeros.
pub(super) fn unpad(mut padded: Zeroizing<Vec<u8>>) -> Option<Zeroizing<Vec<u8>>> {
    let end = padded.iter().rposition(|&byte| byte != 0)?;
    if padded[end] != 0x80 {
        return None;
    }
    padded.truncate(end);
    Some(padded)
}

fn message_key(key: &Secret<32>, salt: &[u8], info: &[u8]) -> LessSafeKey {
    let derived = derive_key(key.expose(), salt, info);
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, derived.expose()).expect("AES-256 keys have 32 bytes"))
}

fn zero_nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; 12])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn padding_reads_back_whatever_the_bytes(bytes in any::<Vec<u8>>(), more in 1usize..100) {
            let padded = pad(&bytes, bytes.len() + more).expect("room");
            prop_assert_eq!(padded.len(), bytes.len() + more);
            let unpadded = unpad(padded);
            prop_assert_eq!(unpadded.as_ref().map(|b| b.as_slice()), Some(bytes.as_slice()));
        }
    }

    #[test]
    fn bytes_without_padding_are_refused() {
        for bad in [vec![], vec![0; 64], vec![1, 2, 3], vec![0x80, 1, 0]] {
            assert!(unpad(Zeroizing::new(bad)).is_none());
        }
        assert!(pad(&[1; 64], 64).is_none());
    }
}
