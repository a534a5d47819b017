//! Keys and primitives: tokens, blinding, pseudonyms, sealing, signatures, client assertions.
//!
//! One file per noun. Every label that separates one use of a key from another is in
//! [`crate::domain::labels`]; no two uses share both key and label.
//!
//! | who holds the key | files |
//! |---|---|
//! | agencies and their key custodians | [`token`], [`clk`], [`mod@reference`] |
//! | the gateway | [`blind`], [`pseudonym`], [`tag`], [`field`], [`keyring`] |
//! | a session of the console and its browser, together | [`handle`] |
//! | the data team, shield officers | [`seal`] (private half) |
//! | everybody, their own | [`sign`], [`jwt`], [`certs`] |

#![allow(clippy::missing_panics_doc, reason = "an `expect` here states the proof that it cannot happen")]

mod aead;
pub mod blind;
pub mod certs;
pub mod clk;
pub mod field;
pub mod handle;
pub mod jwt;
pub mod kek;
pub mod keyring;
mod mac;
pub mod production;
pub mod pseudonym;
pub mod random;
pub mod reference;
pub mod seal;
pub mod secret;
pub mod sign;
pub mod tag;
pub mod token;

#[cfg(test)]
mod wycheproof;
