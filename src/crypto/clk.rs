//! The key of fuzzy encodings (privacy profile C).

use std::fmt;

use zeroize::Zeroize as _;

use super::mac::{Keyed, derive_key, push_lp};
use super::secret::Secret;
use super::token::{LinkageKey, TypeKey};
use crate::domain::clk::{CLK_TYPE, EncodingProfile, KeyStream, Space};
use crate::domain::ids::{ProgrammeCode, TokenType};
use crate::domain::labels;

/// Says where the pieces of a value stand in a filter, under one encoding profile and epoch.
///
/// It follows from the type key of the reserved type `clk`, so that a custodian can hand out fuzzy
/// encoding by itself, and an agency that was handed match keys alone cannot make filters. Its own
/// label and the hash of the profile keep it apart from every token and every other profile.
pub struct ClkKey {
    keyed: Keyed,
    space: Space,
}

/// The reserved type under which the key is handed out.
pub fn clk_type() -> TokenType {
    TokenType::parse(CLK_TYPE).expect("a code")
}

impl ClkKey {
    /// Derives the key from the linkage key.
    pub fn derive(root: &LinkageKey, programme: &ProgrammeCode, epoch: u32, profile: &EncodingProfile) -> Self {
        let granted = TypeKey::derive(root, programme, epoch, &clk_type(), profile.norm());
        Self::from_type_key(granted.secret(), programme, epoch, profile)
    }

    /// Derives the key from the type key of `clk`, as a custodian handed it out by itself.
    pub fn from_type_key(
        type_key: &Secret<32>,
        programme: &ProgrammeCode,
        epoch: u32,
        profile: &EncodingProfile,
    ) -> Self {
        let mut salt = labels::PROGRAMME.as_bytes().to_vec();
        push_lp(&mut salt, programme.as_str().as_bytes());
        salt.extend_from_slice(&epoch.to_be_bytes());
        let mut info = labels::FUZZY_KEY.as_bytes().to_vec();
        info.extend_from_slice(profile.hash().as_bytes());
        let key = derive_key(type_key.expose(), &salt, &info);
        let key_check = Keyed::new(key.expose(), labels::KEY_CHECK).finish_short();
        let space = Space { profile: profile.short_hash(), epoch, key_check };
        Self { keyed: Keyed::new(key.expose(), labels::CLK), space }
    }

    /// What filters made with this key share.
    pub fn space(&self) -> Space {
        self.space
    }
}

impl KeyStream for ClkKey {
    fn digest(&self, parts: &[&[u8]]) -> [u8; 32] {
        // One message in one piece: moving the state of the hash about costs more than the hash.
        let mut message = [0; 192];
        let mut end = 0;
        for part in parts {
            let next = end + 2 + part.len();
            if next > message.len() {
                return parts.iter().fold(self.keyed.clone(), |keyed, part| keyed.lp(part)).finish();
            }
            message[end..end + 2].copy_from_slice(&(part.len() as u16).to_be_bytes());
            message[end + 2..next].copy_from_slice(part);
            end = next;
        }
        let digest = self.keyed.finish_with(&message[..end]);
        message[..end].zeroize();
        digest
    }
}

impl fmt::Debug for ClkKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClkKey(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::random::SystemRandom;

    fn profile(threshold: u16) -> EncodingProfile {
        let text = include_str!("../../policies/clk-profile.toml");
        let line = text.lines().find(|line| line.starts_with("threshold")).expect("a threshold");
        let text = text.replace(line, &format!("threshold = {threshold}"));
        EncodingProfile::parse(text.as_bytes()).expect("well-formed")
    }

    #[test]
    fn programme_epoch_profile_and_root_each_give_another_stream_and_space() {
        let random = SystemRandom::new();
        let (root, other_root) = (LinkageKey::generate(&random), LinkageKey::generate(&random));
        let code = |text: &str| ProgrammeCode::parse(text).expect("a code");
        let keys = [
            ClkKey::derive(&root, &code("tff"), 1, &profile(850)),
            ClkKey::derive(&root, &code("tff"), 2, &profile(850)),
            ClkKey::derive(&root, &code("ttf"), 1, &profile(850)),
            ClkKey::derive(&root, &code("tff"), 1, &profile(860)),
            ClkKey::derive(&other_root, &code("tff"), 1, &profile(850)),
        ];
        for (at, one) in keys.iter().enumerate() {
            for other in &keys[..at] {
                assert_ne!(one.digest(&[b"piece"]), other.digest(&[b"piece"]));
                assert_ne!(one.space(), other.space());
            }
        }
        assert_ne!(keys[0].digest(&[b"a", b"bc"]), keys[0].digest(&[b"ab", b"c"]));
    }

    #[test]
    fn the_type_key_handed_out_alone_gives_the_same_filters() {
        let root = LinkageKey::generate(&SystemRandom::new());
        let programme = ProgrammeCode::parse("tff").expect("a code");
        let alone = TypeKey::derive(&root, &programme, 1, &clk_type(), 1);
        let one = ClkKey::from_type_key(alone.secret(), &programme, 1, &profile(850));
        let other = ClkKey::derive(&root, &programme, 1, &profile(850));
        assert_eq!((one.space(), one.digest(&[b"x"])), (other.space(), other.digest(&[b"x"])));
        assert_ne!(one.digest(&[b"x"]), *alone.token(b"x").as_bytes(), "no filter is made of tokens");
    }
}
