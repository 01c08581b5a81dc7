//! Tests of the bench: not of times.
