//! The tamper-evident disclosure log, as values: no files, no database, no clock, no keys of its own.
//!
//! | file | noun |
//! |---|---|
//! | [`entry`] | one log entry: canonical bytes, typed bodies |
//! | [`bundle`] | what makes an export an auditor's bundle, and which openings are in it |
//! | [`canonical`] | the one JSON form that an entry may have, checked in one pass |
//! | [`commitment`] | a salted commitment to what an entry must not say in clear, and its opening |
//! | [`digest`] | SHA-256 values as entries write them |
//! | [`merkle`] | RFC 6962 trees: hashes, the right edge, roots |
//! | [`proof`] | inclusion and consistency proofs |
//! | [`tile`] | C2SP tiles and entry bundles |
//! | [`note`] | C2SP signed notes |
//! | [`checkpoint`] | what the log says its tree is |
//! | [`cosignature`] | what a witness says it saw, and when |
//! | [`receipt`] | the gateway's promise that an entry will be in the log |
//! | [`sequence`] | queued entries become leaves |
//! | [`witness`] | what a witness cosigns, and what it finds |
//! | [`texts`] | the texts that entries rest on, and who signed them |
//! | [`verify`] | an export checked offline |
//!
//! The formats are described for auditors in `docs/log-format.md`.

pub mod bundle;
pub mod canonical;
pub mod checkpoint;
pub mod commitment;
pub mod cosignature;
pub mod digest;
pub mod entry;
pub mod merkle;
pub mod note;
pub mod proof;
pub mod receipt;
pub mod sequence;
pub mod texts;
pub mod tile;
pub mod verify;
pub mod witness;

#[cfg(test)]
pub(crate) mod testing;
