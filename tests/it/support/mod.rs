//! What the tests share.

pub(crate) mod database;
pub(crate) mod pki;
pub(crate) mod programme;
