//! Porth: a privacy-preserving data-sharing gateway.
//!
//! Agencies submit keyed tokens; the gateway links them without knowing who anybody is, answers
//! with the least that a signed agreement and the law allow, and logs every answer.
//!
//! # The map
//!
//! | module | what lives there | may use |
//! |---|---|---|
//! | [`domain`] | vocabulary and rules | nothing of ours |
//! | [`crypto`] | keys and primitives | `domain` |
//! | [`identity`] | the agency's side: parse, normalise, match keys; never used by the server path | `domain` |
//! | [`linkage`] | which records are one person, which persons one family | `domain` |
//! | [`policy`] | agreements and rules: `decide(facts) → decision` | `domain` |
//! | [`tlog`] | the tamper-evident disclosure log | `domain` |
//! | [`store`] | the database; the only place that names `sqlx` | `domain` |
//! | [`app`] | one file per journey | all of the above except `identity` |
//! | [`jobs`] | what runs by itself: sequencer, checkpoints | `app` and what it uses |
//! | [`web`] | HTTP: listeners, authentication, one file per verb | `app` and what it uses |
//! | [`config`], [`runtime`] | the configuration file; a gateway put together and run | everything but `cli` and `demo` |
//! | [`cli`] | agency and operator commands | everything |
//! | [`demo`] | a synthetic programme played end to end | everything |
//! | [`client`] | the HTTP client of the command line and the tests | nothing of ours |
//! | [`telemetry`] | logs and figures: what may be written, and where | nothing of ours |
//!
//! `domain`, `identity`, `linkage`, `policy` and `tlog` are plain synchronous Rust: no files, no
//! database, no clock, no randomness of their own. A test reads the imports and holds us to it.

pub mod app;
pub mod cli;
pub mod client;
pub mod config;
pub mod crypto;
pub mod demo;
pub mod domain;
pub mod identity;
pub mod jobs;
pub mod linkage;
pub mod policy;
pub mod runtime;
pub mod store;
pub mod telemetry;
pub mod tlog;
pub mod web;
