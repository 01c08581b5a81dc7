//! What `knotwork bench` measures.

pub mod planning;
pub mod replay;
