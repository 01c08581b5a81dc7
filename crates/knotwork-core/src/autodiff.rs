//! Gradients, graph to graph: each is more nodes of the same graph, made before any planning.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    Error, Result, Site,
    graph::{Graph, Kind, Phase, Recomputed, Tensor, ValueId, with_phase, with_provenance},
};

/// What an operation sees when it is asked for its gradient.
#[derive(Debug)]
pub struct GradContext<'a> {
    /// The operation's inputs.
    pub inputs: &'a [Tensor],
    /// Its outputs.
    pub outputs: &'a [Tensor],
    /// The gradient to each output; `None` where it is zero.
    pub cotangents: &'a [Option<Tensor>],
    /// Which inputs need a gradient: the others may be left out.
    pub wanted: &'a [bool],
}

impl GradContext<'_> {
    /// The gradient to the only output of an operation.
    ///
    /// # Errors
    /// Where it is zero; the walk never asks then.
    pub fn cotangent(&self) -> Result<&Tensor> {
        self.cotangents.first().and_then(Option::as_ref).ok_or_else(|| Error::Graph {
            message: "a gradient was asked of an operation that nothing depends on".into(),
            site: Site::here(),
        })
    }
}

impl Tensor {
    /// The gradients of a scalar to `inputs`: d self / d input, each of its input's shape.
    /// They are nodes of the same graph, so they have gradients themselves.
    ///
    /// ```
    /// use knotwork_core::{DType, Graph};
    /// let g = Graph::new();
    /// let x = g.input("x", DType::F32, [3])?;
    /// let dx = &x.square()?.sum(&[0], false)?.grad(&[&x])?[0];
    /// assert_eq!(dx.shape(), x.shape());
    /// # Ok::<(), knotwork_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Where self is no scalar, or an operation on the way has no gradient.
    #[track_caller]
    pub fn grad(&self, inputs: &[&Self]) -> Result<Vec<Self>> {
        let one = self.direction(Site::here())?;
        self.graph().vjp(&[(self, &one)], inputs)
    }

    /// Like [`grad`](Self::grad), with `None` for an input that self does not depend on (or only through
    /// [`detach`](Self::detach)): optimizers pass such parameters by.
    ///
    /// ```
    /// use knotwork_core::{DType, Graph};
    /// let g = Graph::new();
    /// let (x, y) = (g.input("x", DType::F32, [3])?, g.input("y", DType::F32, [3])?);
    /// let d = x.square()?.sum(&[0], false)?.gradients(&[&x, &y])?;
    /// assert!(d[0].is_some() && d[1].is_none());
    /// # Ok::<(), knotwork_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Where self is no scalar, or an operation on the way has no gradient.
    #[track_caller]
    pub fn gradients(&self, inputs: &[&Self]) -> Result<Vec<Option<Self>>> {
        let one = self.direction(Site::here())?;
        let ids: Vec<ValueId> = inputs.iter().map(|t| t.id()).collect();
        let found = with_phase(Phase::Backward, || self.graph().walk(&[(self, &one)], &ids))?;
        Ok(ids.iter().map(|id| found.get(id).cloned()).collect())
    }

    /// 1, the direction of a scalar's gradient.
    fn direction(&self, site: Site) -> Result<Self> {
        if self.rank() != 0 {
            return Err(Error::Gradient {
                op: self.graph().node(self.id().node).name().into(),
                site,
                reason: format!(
                    "the gradient of {} needs a direction: use `vjp`, or reduce it to a scalar",
                    self.meta()
                ),
            });
        }
        self.graph().constant(self.dtype(), 1.0)
    }
}

impl Graph {
    /// The gradients of `sum(output * cotangent)`, summed over the pairs, to each of `inputs`.
    /// An input that no output depends on gets zeros.
    ///
    /// # Errors
    /// Where a cotangent has not its output's type and shape, or an operation on the way has no gradient.
    #[track_caller]
    pub fn vjp(&self, outputs: &[(&Tensor, &Tensor)], inputs: &[&Tensor]) -> Result<Vec<Tensor>> {
        let site = Site::here();
        for (y, dy) in outputs {
            if y.meta() != dy.meta() {
                return Err(Error::Gradient {
                    op: self.node(y.id().node).name().into(),
                    site,
                    reason: format!("the cotangent is {}, the output {}", dy.meta(), y.meta()),
                });
            }
        }
        let ids: Vec<ValueId> = inputs.iter().map(|t| t.id()).collect();
        let found = with_phase(Phase::Backward, || self.walk(outputs, &ids))?;
        inputs
            .iter()
            .map(|t| match found.get(&t.id()) {
                Some(g) => Ok(g.clone()),
                None => {
                    with_provenance(site, || self.constant(t.dtype(), 0.0)?.broadcast_to(t.shape().clone()))
                }
            })
            .collect()
    }

    /// Walks back from the outputs over the nodes that lie between them and `targets`.
    fn walk(&self, outputs: &[(&Tensor, &Tensor)], targets: &[ValueId]) -> Result<BTreeMap<ValueId, Tensor>> {
        let last = outputs.iter().map(|(y, _)| y.id().node).max().unwrap_or(0);
        let wanted_nodes: BTreeSet<usize> = targets.iter().map(|t| t.node).collect();
        let depends = self.depends_on(&wanted_nodes, last);
        let targets: BTreeSet<ValueId> = targets.iter().copied().collect();
        let mut recomputed = Recomputed::new(self);
        let mut gradients: BTreeMap<ValueId, Tensor> = BTreeMap::new();
        for (y, dy) in outputs {
            accumulate(&mut gradients, y.id(), (*dy).clone())?;
        }
        for index in (0..=last).rev() {
            let node = self.node(index);
            let Kind::Op(op) = &node.kind else { continue };
            let ids: Vec<ValueId> =
                (0..node.outputs.len()).map(|output| ValueId { node: index, output }).collect();
            if !depends[index] || ids.iter().all(|id| !gradients.contains_key(id)) {
                continue;
            }
            let wanted: Vec<bool> = node
                .inputs
                .iter()
                .map(|v| {
                    let meta = &self.node(v.node).outputs[v.output];
                    meta.dtype.is_float() && (depends[v.node] || targets.contains(v))
                })
                .collect();
            if !wanted.contains(&true) {
                continue;
            }
            if node.region.is_some() {
                let arrived = ids.iter().filter_map(|v| gradients.get(v)).map(Tensor::id);
                recomputed.enter(&node, &arrived.collect::<Vec<_>>());
            }
            let at_hand = |&v: &ValueId| self.handle(recomputed.view(v, node.region));
            let context = GradContext {
                inputs: &node.inputs.iter().map(at_hand).collect::<Vec<_>>(),
                outputs: &ids.iter().map(at_hand).collect::<Vec<_>>(),
                cotangents: &ids.iter().map(|v| gradients.get(v).cloned()).collect::<Vec<_>>(),
                wanted: &wanted,
            };
            let found = with_provenance(node.site, || op.grad(&context)).map_err(|e| match e {
                Error::Gradient { reason, .. } => {
                    Error::Gradient { op: op.name().into(), site: node.site, reason }
                }
                other => other,
            })?;
            for ((input, gradient), wanted) in node.inputs.iter().zip(found).zip(&wanted) {
                if let (Some(gradient), true) = (gradient, wanted) {
                    with_provenance(node.site, || accumulate(&mut gradients, *input, gradient))?;
                }
            }
        }
        // A value and its copies are one value: their gradients add up.
        let copies: Vec<(ValueId, ValueId)> = gradients
            .keys()
            .filter_map(|v| {
                let of = ValueId { node: self.node(v.node).recompute.as_ref()?.of, ..*v };
                (targets.contains(&of) && !targets.contains(v)).then_some((*v, of))
            })
            .collect();
        for (copy, of) in copies {
            if let Some(gradient) = gradients.get(&copy).cloned() {
                accumulate(&mut gradients, of, gradient)?;
            }
        }
        Ok(gradients)
    }

    /// For each node up to `last`, whether a target, or a copy of one, lies at it or before it on some path.
    fn depends_on(&self, targets: &BTreeSet<usize>, last: usize) -> Vec<bool> {
        let mut depends = vec![false; last + 1];
        for index in 0..=last {
            let node = self.node(index);
            let copied = node.recompute.as_ref().is_some_and(|r| targets.contains(&r.of));
            depends[index] =
                copied || targets.contains(&index) || node.inputs.iter().any(|v| depends[v.node]);
        }
        depends
    }
}

fn accumulate(gradients: &mut BTreeMap<ValueId, Tensor>, at: ValueId, gradient: Tensor) -> Result<()> {
    let sum = match gradients.remove(&at) {
        Some(before) => before.add(&gradient)?,
        None => gradient,
    };
    gradients.insert(at, sum);
    Ok(())
}
