//! The WGSL of a fused body.

mod statements;
mod words;

use std::fmt::Write;

pub(in crate::ops) use statements::{Source, Store, storage};
pub(in crate::ops) use words::Words;

use super::Body;
use crate::{
    DType, Result,
    plan::{BindTo, DispatchSpec, Grid, Kernel, KernelRequest, Lowering, Needs, Params, Source as Text},
};

const THREADS: usize = 256;

impl Body {
    /// One dispatch that computes the whole body, one thread an element.
    pub(in crate::ops) fn lower(&self, request: &KernelRequest<'_>) -> Result<Vec<Lowering>, String> {
        let count = request.outputs.first().map_or(0, |o| o.layout.count());
        if let Some(d) = request.inputs.iter().chain(request.outputs).find(|o| o.dtype == DType::F64) {
            return Err(format!("{} has no GPU kernel: f64 runs on the CPU only", d.dtype));
        }
        let (mut bindings, mut declared, mut sources) = (Vec::new(), String::new(), Vec::new());
        for (i, input) in request.inputs.iter().enumerate() {
            let name = match request.alias_of(i) {
                Some(o) => format!("out{o}"),
                None => {
                    let name = format!("in{i}");
                    bindings.push(BindTo::Input(i));
                    declared.push_str(&storage(bindings.len(), &name, input.dtype, false));
                    name
                }
            };
            sources.push(Source::Buffer(name, input.dtype, &input.layout));
        }
        let mut stores = Vec::new();
        for (o, output) in request.outputs.iter().enumerate() {
            let name = format!("out{o}");
            bindings.push(BindTo::Output(o));
            declared.push_str(&storage(bindings.len(), &name, output.dtype, true));
            stores.push(Store(name, output.dtype, &output.layout));
        }
        let mut words = Words::new("params", 0);
        let all = words.size(count);
        let statements = self.statements("i", &sources, &stores, &mut words);

        let f16 = request.inputs.iter().chain(request.outputs).any(|o| o.dtype == DType::F16);
        let mut s = String::from(if f16 { "enable f16;\n" } else { "" });
        s.push_str("#import shared/grid\n");
        for import in self.imports() {
            let _ = writeln!(s, "#import {import}");
        }
        let vectors = words.values().len().div_ceil(4);
        let _ = write!(
            s,
            "\nstruct Params {{ words: array<vec4<u32>, {vectors}> }}\n\
             @group(0) @binding(0) var<uniform> params: Params;\n{declared}\n\
             // {}\n@compute @workgroup_size({THREADS})\nfn main(@builtin(workgroup_id) group: vec3<u32>,\n        \
             @builtin(num_workgroups) groups: vec3<u32>,\n        @builtin(local_invocation_index) thread: u32) {{\n    \
             let i = linear_group(group, groups) * {THREADS}u + thread;\n    if (i >= {all}) {{\n        return;\n    }}\n\
             {statements}}}\n",
            self.name(),
        );
        let kernel = Kernel {
            name: self.name(),
            source: Text::Text(s.into()),
            flags: Vec::new(),
            constants: Vec::new(),
            needs: Needs { f16, ..Needs::default() },
        };
        let params = words.values().iter().fold(Params::new(), |p, &w| p.u32(w));
        let grid = Grid::Linear(count.div_ceil(THREADS) as u64);
        Ok(vec![Lowering::single("elementwise", DispatchSpec { kernel, bindings, params, grid, flat: None })])
    }
}
