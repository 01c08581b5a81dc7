//! The WGSL of a fused body. It only calls the hand-written functions of `shaders/`.

use std::fmt::Write;

use super::{Argument, Body};
use crate::{
    DType, Layout, Result,
    plan::{BindTo, DispatchSpec, Grid, Kernel, KernelRequest, Lowering, Needs, Params, Source},
};

const THREADS: usize = 256;

/// How a kernel finds the element of an input.
#[derive(Clone, Copy, PartialEq)]
enum Walk {
    /// The same element for all.
    Scalar,
    /// Element by element.
    Dense,
    /// By the strides of each dimension.
    Strided,
}

impl Body {
    /// One dispatch that computes the whole body, one thread an element.
    pub(super) fn lower(&self, request: &KernelRequest<'_>) -> Result<Vec<Lowering>, String> {
        let count = request.outputs.first().map_or(0, |o| o.layout.count());
        let views: Vec<&Layout> = request
            .inputs
            .iter()
            .map(|o| &o.layout)
            .chain(request.outputs.first().map(|o| &o.layout))
            .collect();
        let collapsed = Layout::collapse(&views);
        let walks: Vec<Walk> = collapsed[..request.inputs.len()]
            .iter()
            .map(|l| {
                if l.strides().iter().all(|&s| s == 0) {
                    Walk::Scalar
                } else if l.is_dense() {
                    Walk::Dense
                } else {
                    Walk::Strided
                }
            })
            .collect();
        if let Some(d) = request.inputs.iter().chain(request.outputs).find(|o| o.dtype == DType::F64) {
            return Err(format!("{} has no GPU kernel: f64 runs on the CPU only", d.dtype));
        }
        let mut params = Params::new().u32(count);
        let shape = collapsed.last().map(|l| l.shape().to_vec()).unwrap_or_default();
        let strided = walks.contains(&Walk::Strided);
        if strided {
            params = shape.iter().fold(params, |p, &n| p.u32(n));
        }
        for (layout, walk) in collapsed.iter().zip(&walks) {
            params = params.u32(layout.offset());
            if *walk == Walk::Strided {
                params = layout.strides().iter().fold(params, |p, &s| p.u32(s));
            }
        }
        let attributes = self.steps.iter().flat_map(|s| {
            let constants = s.arguments.iter().filter_map(|a| match a {
                Argument::Constant(c) => Some((*c, s.integers())),
                _ => None,
            });
            constants.chain(s.function.attributes.iter().map(|&a| (a, None))).collect::<Vec<_>>()
        });
        for (value, integer) in attributes {
            params = match integer {
                Some(DType::I32) => params.u32(value as i32 as u32),
                Some(DType::U32 | DType::Bool) => params.u32(value as u32),
                _ => params.f32(value as f32),
            };
        }
        let text = self.text(request, &walks, if strided { shape.len() } else { 0 }, params.words().len());
        let bindings = (0..request.inputs.len())
            .filter(|&i| request.alias_of(i).is_none())
            .map(BindTo::Input)
            .chain((0..request.outputs.len()).map(BindTo::Output))
            .collect();
        let f16 = request.inputs.iter().chain(request.outputs).any(|o| o.dtype == DType::F16);
        let kernel = Kernel {
            name: self.name(),
            source: Source::Text(text.into()),
            flags: Vec::new(),
            constants: Vec::new(),
            needs: Needs { f16, ..Needs::default() },
        };
        Ok(vec![Lowering::single(
            "elementwise",
            DispatchSpec {
                kernel,
                bindings,
                params,
                grid: Grid::Linear(count.div_ceil(THREADS) as u64),
                flat: None,
            },
        )])
    }

    fn text(&self, request: &KernelRequest<'_>, walks: &[Walk], rank: usize, words: usize) -> String {
        let mut s = String::new();
        let mut imports = vec!["shared/grid"];
        imports.extend(self.steps.iter().filter_map(|s| s.function.row.wgsl.import));
        imports.sort_unstable();
        imports.dedup();
        if request.inputs.iter().chain(request.outputs).any(|o| o.dtype == DType::F16) {
            s.push_str("enable f16;\n");
        }
        for import in imports {
            let _ = writeln!(s, "#import {import}");
        }
        let _ = writeln!(s, "\nstruct Params {{ words: array<vec4<u32>, {}> }}", words.div_ceil(4));
        s.push_str("@group(0) @binding(0) var<uniform> params: Params;\n");
        let mut binding = 1;
        let mut names = Vec::new();
        for (i, input) in request.inputs.iter().enumerate() {
            if let Some(o) = request.alias_of(i) {
                names.push(format!("out{o}"));
                continue;
            }
            let ty = storage(input.dtype);
            let _ = writeln!(s, "@group(0) @binding({binding}) var<storage, read> in{i}: array<{ty}>;");
            names.push(format!("in{i}"));
            binding += 1;
        }
        for (o, output) in request.outputs.iter().enumerate() {
            let ty = storage(output.dtype);
            let _ =
                writeln!(s, "@group(0) @binding({binding}) var<storage, read_write> out{o}: array<{ty}>;");
            binding += 1;
        }
        let _ = write!(
            s,
            "\n// {}\n@compute @workgroup_size({THREADS})\nfn main(@builtin(workgroup_id) group: vec3<u32>,\n        \
             @builtin(num_workgroups) groups: vec3<u32>,\n        @builtin(local_invocation_index) thread: u32) {{\n    \
             let i = linear_group(group, groups) * {THREADS}u + thread;\n    if (i >= {}) {{\n        return;\n    }}\n",
            self.name(),
            word(0)
        );
        let mut at = 1;
        if rank > 0 {
            s.push_str("    var rest = i;\n");
            for d in (0..rank).rev() {
                if d == 0 {
                    s.push_str("    let x0 = rest;\n");
                } else {
                    let size = word(at + d);
                    let _ = writeln!(s, "    let x{d} = rest % {size};\n    rest = rest / {size};");
                }
            }
            at += rank;
        }
        for (i, (input, walk)) in request.inputs.iter().zip(walks).enumerate() {
            let mut index = word(at);
            at += 1;
            match walk {
                Walk::Scalar => {}
                Walk::Dense => index += " + i",
                Walk::Strided => {
                    for d in 0..rank {
                        let _ = write!(index, " + x{d} * {}", word(at + d));
                    }
                    at += rank;
                }
            }
            let _ = writeln!(s, "    let a{i} = {};", loaded(input.dtype, &format!("{}[{index}]", names[i])));
        }
        for (k, step) in self.steps.iter().enumerate() {
            let integer = step.integers();
            let mut arguments: Vec<String> = Vec::new();
            for a in &step.arguments {
                arguments.push(match *a {
                    Argument::Input(i) => format!("a{i}"),
                    Argument::Step(j) => format!("t{j}"),
                    Argument::Constant(_) => {
                        let w = word(at);
                        at += 1;
                        match integer {
                            Some(DType::I32) => format!("bitcast<i32>({w})"),
                            Some(DType::U32) => w,
                            Some(DType::Bool) => format!("({w} != 0u)"),
                            _ => format!("bitcast<f32>({w})"),
                        }
                    }
                });
            }
            for _ in &step.function.attributes {
                arguments.push(format!("bitcast<f32>({})", word(at)));
                at += 1;
            }
            let wgsl = &step.function.row.wgsl;
            let form = if integer.is_some() { wgsl.integers.unwrap_or(wgsl.floats) } else { wgsl.floats };
            let mut expression = form.to_owned();
            for (n, a) in arguments.iter().enumerate() {
                expression = expression.replace(&format!("{{{n}}}"), a);
            }
            let _ = writeln!(s, "    let t{k} = {expression};");
        }
        for (o, &k) in self.outputs.iter().enumerate() {
            let value = match request.outputs[o].dtype {
                DType::Bool => format!("select(0u, 1u, t{k})"),
                DType::F16 => format!("f16(t{k})"),
                _ => format!("t{k}"),
            };
            let _ = writeln!(s, "    out{o}[i] = {value};");
        }
        s.push_str("}\n");
        s
    }
}

impl super::Step {
    /// The type of the operands, where it is none of the floats.
    fn integers(&self) -> Option<DType> {
        (!self.operands.is_float()).then_some(self.operands)
    }
}

fn word(index: usize) -> String {
    format!("params.words[{}].{}", index / 4, ["x", "y", "z", "w"][index % 4])
}

/// The type of an element in a storage buffer.
fn storage(dtype: DType) -> &'static str {
    match dtype {
        DType::F32 | DType::F64 => "f32",
        DType::F16 => "f16",
        DType::I32 => "i32",
        DType::U32 | DType::Bool => "u32",
    }
}

/// An element as the type that kernels compute in.
fn loaded(dtype: DType, element: &str) -> String {
    match dtype {
        DType::F16 => format!("f32({element})"),
        DType::Bool => format!("({element} != 0u)"),
        _ => element.to_owned(),
    }
}
