//! How well the shipped match keys link, without a server: readers, derivations and clusters alone.

mod febrl;
mod fuzzy;
