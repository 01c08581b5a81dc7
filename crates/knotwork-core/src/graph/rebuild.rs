//! The same graph in another precision.

use std::sync::Arc;

use super::{Constant, Graph, Kind, Leaf, Meta, Node, build::Inner};
use crate::{DType, Error, Result};

impl Graph {
    /// The same graph with every f32 and f16 value in f64, for checks on the CPU. Values keep their ids, so
    /// `g64.value(t.id())` is `t` in double precision.
    ///
    /// ```
    /// use knotwork_core::{DType, Graph};
    /// let g = Graph::new();
    /// let y = g.input("x", DType::F32, [2])?.exp()?;
    /// assert_eq!(g.to_f64()?.value(y.id())?.dtype(), DType::F64);
    /// # Ok::<(), knotwork_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Where an operation refuses f64.
    pub fn to_f64(&self) -> Result<Self> {
        let wide = |d: DType| if d.is_float() { DType::F64 } else { d };
        let old = self.read();
        let mut new = Inner {
            nodes: Vec::with_capacity(old.nodes.len()),
            slots: old.slots.clone(),
            names: old.names.clone(),
            regions: old.regions.clone(),
        };
        for slot in &mut new.slots {
            slot.init = Arc::new(slot.init.cast(wide(slot.init.dtype())));
        }
        for node in &old.nodes {
            let mut node = Node::clone(node);
            match &mut node.kind {
                Kind::Leaf(leaf) => {
                    if let Leaf::Constant(Constant::Tensor(t)) = leaf {
                        *t = Arc::new(t.cast(wide(t.dtype())));
                    }
                    for meta in &mut node.outputs {
                        meta.dtype = wide(meta.dtype);
                    }
                }
                Kind::Op(op) => {
                    if let Some(wider) = op.to_f64() {
                        *op = wider;
                    }
                    let metas: Vec<Meta> = node
                        .inputs
                        .iter()
                        .map(|v| Node::clone(&new.nodes[v.node]).outputs[v.output].clone())
                        .collect();
                    node.outputs = op.infer(&metas).map_err(|message| {
                        Error::from(crate::error::OpError {
                            op: op.name().into(),
                            inputs: metas.iter().map(ToString::to_string).collect(),
                            message,
                            site: node.site,
                        })
                    })?;
                }
            }
            new.nodes.push(Arc::new(node));
        }
        Ok(Self::from_inner(new))
    }
}
