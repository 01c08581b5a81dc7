//! A plan as JSON, for programs that look at plans.

use serde_json::{Value, json};

use super::{BufferKind, Place, Plan};
use crate::graph::Phase;
use crate::tensor::{DType, HostTensor};

impl Plan {
    /// The plan as JSON: `totals`, `buffers`, `steps` (with `nodes`, `inputs`, `outputs`, `cost`), `dispatches`, and
    /// `live_bytes`, the memory curve. Sizes are bytes.
    #[must_use]
    pub fn to_json(&self) -> String {
        let cost = self.cost();
        let value = json!({
            "totals": {
                "steps": self.steps.len(),
                "dispatches": self.dispatches.len(),
                "flops": cost.flops,
                "bytes": cost.bytes,
                "arena_bytes": self.arena_bytes(),
                "live_peak": self.live_peak,
            },
            "buffers": self.buffers.iter().map(|b| {
                json!({ "kind": self.kind_of(&b.kind), "bytes": b.bytes })
            }).collect::<Vec<_>>(),
            "steps": self.phases().into_iter().enumerate().map(|(k, p)| self.step_json(k, p)).collect::<Vec<_>>(),
            "dispatches": self.dispatches.iter().map(|d| json!({
                "step": d.step,
                "kernel": d.kernel.name,
                "grid": d.grid,
                "bindings": d.bindings.iter().map(|b| json!({
                    "buffer": b.buffer.0,
                    "offset": b.offset,
                    "bytes": b.bytes,
                    "writes": b.writes,
                    "name": self.name_of_range(b),
                })).collect::<Vec<_>>(),
            })).collect::<Vec<_>>(),
            "live_bytes": self.live_bytes(),
        });
        format!("{value:#}\n")
    }

    fn kind_of(&self, kind: &BufferKind) -> String {
        let tensor = |t: &HostTensor| typed(t.dtype(), t.shape());
        match kind {
            BufferKind::Feed(f) => format!("input {}", self.feeds.get(*f).map_or("", |f| f.name.as_str())),
            BufferKind::Chunk(_) => "parameters".into(),
            BufferKind::Scalars => "scalars".into(),
            BufferKind::Constant(t) => format!("constant {}", tensor(t)),
            BufferKind::Arena => "arena".into(),
            BufferKind::Status => "status".into(),
        }
    }

    fn step_json(&self, k: usize, phase: Phase) -> Value {
        let step = &self.steps[k];
        let place = |p: &Place| {
            json!({
                "name": self.name_of_place(p),
                "dtype": p.dtype.to_string(),
                "shape": p.layout.shape(),
                "buffer": p.buffer.0,
                "offset": p.offset,
                "bytes": p.bytes,
            })
        };
        let cost = step.cost();
        json!({
            "op": step.op.name(),
            "variant": step.variant,
            "note": step.note,
            "phase": phase.to_string(),
            "site": step.site.to_string(),
            "nodes": step.nodes.iter().map(|n| json!({
                "node": n.node,
                "op": n.op,
                "phase": n.phase.to_string(),
                "site": n.site.to_string(),
                "outputs": n.outputs.iter().map(|(d, s)| typed(*d, s)).collect::<Vec<_>>(),
            })).collect::<Vec<_>>(),
            "inputs": step.inputs.iter().map(place).collect::<Vec<_>>(),
            "outputs": step.outputs.iter().map(place).collect::<Vec<_>>(),
            "aliases": step.aliases,
            "flops": cost.flops,
            "bytes": cost.bytes,
        })
    }
}

fn typed(dtype: DType, shape: &[usize]) -> String {
    super::explain::typed(dtype, shape)
}
