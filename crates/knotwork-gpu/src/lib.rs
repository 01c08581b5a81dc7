//! crates/knotwork-gpu
