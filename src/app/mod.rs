//! The journeys: one file for each thing that somebody comes to do.
//!
//! | file | journey |
//! |---|---|
//! | [`authenticate`] | an agency's system proves who it is |
//! | [`submit`] | a feed is delivered |
//! | [`publish`] | a delivered feed is linked and made visible |
//! | [`enquire`] | an agency asks about a person; **where an enquiry is decided** |
//! | [`explain`] | an agency asks what the agreements would allow |
//! | [`writer`] | entries become durable before anything leaves |
//! | [`sequence`] | entries get their places in the log and a signed checkpoint |
//! | [`export`] | the log is handed to an auditor |
//! | [`evaluate`] | linkage is compared with the truth of a public test set |
//! | [`enrol`] | agencies, their keys and certificates are registered |
//! | [`load_policy`] | signed agreements and policy files come into use |
//! | [`rotate`] | keys are replaced: epochs end, stored tokens are blinded again, fields sealed again |
//! | [`tidy`] | what nobody needs any more is removed |

pub mod authenticate;
pub mod caller;
pub mod enquire;
pub mod enrol;
pub mod error;
pub mod evaluate;
pub mod explain;
pub mod export;
pub mod gateway;
pub mod load_policy;
pub mod policies;
pub mod publish;
pub mod rotate;
pub mod sequence;
pub mod signers;
pub mod submit;
pub mod tidy;
pub mod writer;
