//! The oracle: the graph as it was written, node by node, through the references.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use crate::{
    Error, FeedError, Result, Site,
    error::OpError,
    graph::{Constant, Graph, Kind, Leaf, Meta, Snapshot, Tensor, ValueId},
    ops::{Op, Reference},
    tensor::{Binding, HostTensor},
};

/// What the oracle computes from: values for inputs, scalars and slots, by name. Slots and scalars that are not
/// given have their initial values.
pub type Oracle<'a> = BTreeMap<&'a str, HostTensor>;

/// Evaluates tensors of a graph. Results are rounded to each node's element type; in f64 graphs they are f64.
///
/// ```
/// use knotwork_core::{cpu::evaluate, DType, Graph, HostTensor};
/// let g = Graph::new();
/// let y = g.input("x", DType::F32, [2])?.exp()?;
/// let out = evaluate(&g, &[&y], &[("x", HostTensor::new(&[0.0f32, 1.0], [2])?)].into())?;
/// assert_eq!(out[0].as_slice::<f32>()?, &[1.0, std::f32::consts::E]);
/// # Ok::<(), knotwork_core::Error>(())
/// ```
///
/// # Errors
/// Where a feed is missing or has another type or shape, or data is outside an operation's definition.
pub fn evaluate(graph: &Graph, outputs: &[&Tensor], feeds: &Oracle<'_>) -> Result<Vec<HostTensor>> {
    let snapshot = graph.snapshot();
    let live = snapshot.live(&outputs.iter().map(|t| t.id()).collect::<Vec<_>>(), &[]);
    let mut binding = Binding::new();
    for (node, _) in snapshot.nodes.iter().zip(&live).filter(|(_, live)| **live) {
        if let Kind::Leaf(Leaf::Input(name)) = &node.kind {
            let value = feeds.get(name.as_str()).ok_or_else(|| FeedError::Missing {
                name: name.clone(),
                expected: node.outputs[0].to_string(),
            })?;
            for (dim, &n) in node.outputs[0].shape.dims().iter().zip(value.shape()) {
                if let Some(name) = dim.name() {
                    binding.insert(name.into(), n);
                }
            }
        }
    }
    let wanted: Vec<ValueId> = outputs.iter().map(|t| t.id()).collect();
    evaluate_values(&snapshot, &wanted, feeds, &binding)
}

/// Evaluates values of a graph whose named dimensions have these sizes. Values are dropped after their last use.
pub(crate) fn evaluate_values(
    snapshot: &Snapshot,
    wanted: &[ValueId],
    feeds: &Oracle<'_>,
    binding: &Binding,
) -> Result<Vec<HostTensor>> {
    let live = snapshot.live(wanted, &[]);
    let mut last_use = vec![0; snapshot.nodes.len()];
    for (index, node) in snapshot.nodes.iter().enumerate().filter(|(i, _)| live[*i]) {
        node.inputs.iter().for_each(|v| last_use[v.node] = index);
    }
    wanted.iter().for_each(|v| last_use[v.node] = usize::MAX);
    let mut values: HashMap<ValueId, Reference> = HashMap::new();
    for (index, node) in snapshot.nodes.iter().enumerate().filter(|(i, _)| live[*i]) {
        let results = match &node.kind {
            Kind::Leaf(leaf) => vec![leaf_value(leaf, &node.outputs[0], feeds, &snapshot.slots, binding)?],
            Kind::Op(op) => {
                let op = bound(op, binding)?;
                let inputs: Vec<Reference> = node.inputs.iter().map(|v| values[v].clone()).collect();
                reference(op.as_ref(), &inputs, node.site, binding)?
            }
        };
        for (output, result) in results.into_iter().enumerate() {
            values.insert(ValueId { node: index, output }, result);
        }
        for v in node.inputs.iter().filter(|v| last_use[v.node] == index) {
            values.remove(v);
        }
    }
    Ok(wanted
        .iter()
        .map(|v| {
            let r = &values[v];
            HostTensor::from_f64(r.dtype, &r.data, &r.shape)
        })
        .collect())
}

fn unbound(name: Arc<str>) -> FeedError {
    FeedError::Missing { name: name.to_string(), expected: "a size for this dimension".into() }
}

/// An operation with the names of dimensions in its attributes replaced by numbers.
pub(crate) fn bound(op: &Arc<dyn Op>, binding: &Binding) -> Result<Arc<dyn Op>> {
    Ok(op.bind(binding).map_err(unbound)?.unwrap_or_else(|| op.clone()))
}

/// One operation through its reference, with results rounded to their element types.
pub(crate) fn reference(
    op: &dyn Op,
    inputs: &[Reference],
    site: Site,
    binding: &Binding,
) -> Result<Vec<Reference>> {
    let metas: Vec<Meta> = inputs.iter().map(|r| Meta::new(r.dtype, r.shape.as_slice())).collect();
    let refuse = |message: String| OpError {
        op: op.name().into(),
        inputs: metas.iter().map(ToString::to_string).collect(),
        message,
        site,
    };
    let mut outs = Vec::new();
    for meta in op.infer(&metas).map_err(&refuse)? {
        let shape = meta.shape.bind(binding).map_err(unbound)?;
        let n = shape.iter().product();
        outs.push(Reference { dtype: meta.dtype, shape, data: vec![f64::NAN; n] });
    }
    op.reference(inputs, &mut outs).map_err(&refuse)?;
    for out in &mut outs {
        out.data.iter_mut().for_each(|x| *x = out.dtype.round(*x));
    }
    Ok(outs)
}

pub(crate) fn leaf_value(
    leaf: &Leaf,
    meta: &Meta,
    feeds: &Oracle<'_>,
    slots: &[crate::graph::Slot],
    binding: &Binding,
) -> Result<Reference> {
    let given = |name: &str| feeds.get(name).cloned();
    let value = match leaf {
        Leaf::Input(name) => given(name),
        Leaf::Scalar { name, default } => {
            given(name).or_else(|| Some(HostTensor::from_f64(meta.dtype, &[*default], &[])))
        }
        Leaf::Slot(id) => given(&slots[id.0].name).or_else(|| Some(HostTensor::clone(&slots[id.0].init))),
        Leaf::Constant(Constant::Tensor(t)) => Some(HostTensor::clone(t)),
        Leaf::Constant(Constant::Scalar(x)) => Some(HostTensor::from_f64(meta.dtype, &[*x], &[])),
        Leaf::Constant(Constant::Size(dim)) => {
            dim.bind(binding).ok().map(|n| HostTensor::from_f64(meta.dtype, &[n as f64], &[]))
        }
    };
    let shape = meta.shape.bind(binding).ok();
    match value {
        Some(v) if v.dtype() == meta.dtype && shape.as_deref() == Some(v.shape()) => {
            Ok(Reference { dtype: meta.dtype, shape: v.shape().to_vec(), data: v.to_f64() })
        }
        Some(v) => Err(Error::Host(format!("the oracle was given {v} for a value of {meta}"))),
        None => Err(Error::Host(format!("the oracle was given no value for {meta}"))),
    }
}
