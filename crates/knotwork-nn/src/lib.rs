//! crates/knotwork-nn
