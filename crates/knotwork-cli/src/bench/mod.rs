//! What `knotwork bench` measures.

pub mod planning;
