//! Networks with wavelets on all edges or some.
