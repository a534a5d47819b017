//! What the tests share.

pub(crate) mod agency;
pub(crate) mod connection;
pub(crate) mod database;
pub(crate) mod gateway;
pub(crate) mod logs;
pub(crate) mod people;
pub(crate) mod pki;
pub(crate) mod programme;
