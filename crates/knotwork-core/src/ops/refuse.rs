//! The error of a method that refuses before it makes a node.

use crate::{Error, Site, error::OpError, graph::Tensor};

/// `op` over `inputs` cannot be made, and why.
pub(super) fn refuse(op: &str, inputs: &[&Tensor], message: impl Into<String>, site: Site) -> Error {
    let inputs = inputs.iter().map(|t| t.meta().to_string()).collect();
    OpError { op: op.into(), inputs, message: message.into(), site }.into()
}
