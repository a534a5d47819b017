//! Tests.

mod support;
mod web;
