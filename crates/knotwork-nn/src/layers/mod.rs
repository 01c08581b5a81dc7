//! Layers: parameters of a graph with names, and what they compute.

mod kan_attention;
mod kan_conv;
mod linear;
mod rational;

pub use kan_attention::{KanAttention, KanAttentionBuilder, KanQkvAttention, KanQkvAttentionBuilder};
pub use kan_conv::{Each, KanConv, KanConv1d, KanConv2d, KanConvBuilder};
pub use linear::{Linear, LinearBuilder};
pub use rational::{GrKan, GrKanBuilder, GroupRational, GroupRationalBuilder, RationalFit};
