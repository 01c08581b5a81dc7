//! crates/knotwork
