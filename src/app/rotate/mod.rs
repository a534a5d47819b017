//! The life of keys in the running gateway: what has to happen to stored data when a key ends.
//!
//! | file | key |
//! |---|---|
//! | [`linkage`] | the agencies' linkage key: an epoch is frozen or retired |
//! | [`blinding`] | the gateway's blinding key: stored tokens go through the next one |
//! | [`signing`] | keys that sign: the log says what became of them |
//! | [`fields`] | the key-encryption key: stored fields are sealed again |

pub mod blinding;
pub mod fields;
pub mod linkage;
pub mod signing;
