//! Porth.
fn main() {}
