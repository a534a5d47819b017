//! linkage.
