//! Commands of agencies. Keys and people stay on the agency's machine; tokens and codes leave it.
//!
//! | file | what |
//! |---|---|
//! | [`join`] | how an agency comes into a programme |
//! | [`key_file`] | the files that hold linkage keys and an agency's own reference key |
//! | [`mapping`] | which column of a spreadsheet is what |
//! | [`tokenise`] | a file of people becomes a file of tokens |
//! | [`connection`] | where the gateway is and how to prove who we are |
//! | [`doctor`] | what works on this machine and what does not |
//! | [`check_tokens`] | whether this machine makes the tokens that the custodian registered |
//! | [`submit`], [`enquire`], [`screen`] | what is sent, and what comes back in plain words |
//! | [`submissions`] | what became of the files that were sent; taking one back |
//! | [`feeds`] | which feeds are due or late |
//! | [`possible_matches`] | records of the agency's own that it is asked to verify |
//! | [`notices`] | what the agency has to know about answers that it received |
//! | [`shields`] | records that the agency itself restricts, and when to look at them again |
//! | [`household_list`] | a benefits agency answers a match run, household by household |
//! | [`validations`] | records of the agency's own that it is asked to decide about after a match run |
//! | `retry` | what may pass by itself is tried again |

#![allow(clippy::trivially_copy_pass_by_ref, reason = "every command takes its output the same way")]

pub mod check_tokens;
pub mod connection;
pub mod doctor;
pub mod enquire;
pub mod feeds;
pub mod household_list;
pub mod join;
pub mod key_file;
pub mod mapping;
pub mod notices;
mod person;
pub mod possible_matches;
mod retry;
pub mod screen;
pub mod shields;
pub mod submissions;
pub mod submit;
pub mod tokenise;
pub mod validations;

/// Reads a file that only its owner may read.
///
/// # Errors
///
/// A failure that names the file.
pub(in crate::cli) fn read_owners_file(
    path: &std::path::Path,
) -> Result<zeroize::Zeroizing<Vec<u8>>, crate::cli::output::Failure> {
    key_file::read_secret(path).map_err(crate::cli::output::Failure::unusable)
}
