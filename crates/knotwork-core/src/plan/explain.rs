//! A plan as text, for people.

use std::fmt::{self, Write};

use super::{BufferKind, Place, Plan};
use crate::tensor::format_shape;

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} steps, {} dispatches, arena {} B (live peak {} B)",
            self.steps.len(),
            self.dispatches.len(),
            self.arena_bytes(),
            self.live_peak
        )?;
        if !self.rewrites.is_empty() {
            let rules: Vec<String> = self.rewrites.iter().map(|(rule, n)| format!("{rule} {n}")).collect();
            writeln!(f, "  rewritten by: {}", rules.join(", "))?;
        }
        for (i, buffer) in self.buffers.iter().enumerate() {
            let what = match &buffer.kind {
                BufferKind::Feed(k) => format!("input `{}`", self.feeds[*k].name),
                BufferKind::Chunk(k) => format!("parameters, chunk {k}"),
                BufferKind::Scalars => "scalars".into(),
                BufferKind::Constant(t) => format!("constant {t}"),
                BufferKind::Arena => "arena".into(),
                BufferKind::Status => "status".into(),
            };
            writeln!(f, "  b{i}: {} B, {what}", buffer.bytes)?;
        }
        for (k, step) in self.steps.iter().enumerate() {
            let list = |places: &[Place]| {
                places.iter().fold(String::new(), |mut s, p| {
                    let _ = write!(
                        s,
                        "{}{} b{}+{}",
                        if s.is_empty() { "" } else { ", " },
                        format_args!("{}{}", p.dtype, format_shape(p.layout.shape())),
                        p.buffer.0,
                        p.offset
                    );
                    s
                })
            };
            let dispatches = self.dispatches.iter().filter(|d| d.step == k).count();
            write!(f, "{k:4} {} ({}) -> {}", step.op.name(), list(&step.inputs), list(&step.outputs))?;
            if !step.variant.is_empty() {
                write!(f, " [{}, {dispatches} dispatches]", step.variant)?;
            }
            if !step.aliases.is_empty() {
                write!(f, " in place {:?}", step.aliases)?;
            }
            writeln!(f, " at {}", step.site)?;
        }
        Ok(())
    }
}
