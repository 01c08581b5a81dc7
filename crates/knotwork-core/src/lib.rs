//! crates/knotwork-core
