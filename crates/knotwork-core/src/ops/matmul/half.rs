//! Products of 16-bit floats: stored in f16, multiplied and added in f32.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use super::{MatMul, cooperative, kernels};
use crate::{
    DType, Layout, Result,
    autodiff::GradContext,
    cpu::{CpuInput, CpuIo, CpuOutput, Slice},
    graph::{Meta, Tensor},
    ops::{Case, CaseInput, Cases, Cost, Op, Reference, Registered, Rows, fused},
    plan::{BindTo, KernelOperand, KernelRequest, Lowering},
};

pub(in crate::ops) const REGISTERED: Registered = Registered {
    name: "matmul_f16",
    formula: "c[.., m, n] = Σ_k a[.., m, k] b[.., k, n], summed in f32",
    inputs: "a […, M, K]; b […, K, N]; leading dimensions broadcast",
    attributes: "",
    types: "f16; the result is f32, which `matmul` rounds to f16 and `matmul_wide` gives as it is",
    source: "",
    cases: Cases::Listed(|| {
        let half = |shape: &[usize]| CaseInput { dtype: DType::F16, ..CaseInput::new(shape) };
        let turned = move |name: &str, a: &[usize], b: &[usize], ta: bool, tb: bool| {
            Case::new(name, vec![half(a), half(b)], move |t| {
                let turn = |t: &Tensor, yes: bool| if yes { t.transpose(-2, -1) } else { Ok(t.clone()) };
                Ok(vec![turn(&t[0], ta)?.matmul_wide(&turn(&t[1], tb)?)?])
            })
            .tolerance(1e-5)
            .no_gradient()
        };
        // Gradients are of the operands' type, so they are rounded to f16.
        let gradients = |mut case: Case| {
            (case.name, case.differentiable, case.twice) = (format!("gradients, {}", case.name), true, true);
            case.tolerance(2e-3)
        };
        let case = move |name: &str, a: &[usize], b: &[usize]| turned(name, a, b, false, false);
        // As in `matmul`: of one sign, so that nothing cancels.
        let long = |name: &str, a: &[usize], b: &[usize]| {
            let input =
                |shape: &[usize]| CaseInput { dtype: DType::F16, ..CaseInput::between(shape, 0.5, 2.0) };
            Case::new(name, vec![input(a), input(b)], |t| Ok(vec![t[0].matmul_wide(&t[1])?]))
                .tolerance(1e-5)
                .no_gradient()
        };
        vec![
            case("one element", &[1, 1], &[1, 1]),
            case("a row and a column", &[1, 65], &[65, 1]),
            case("odd sizes", &[65, 17], &[17, 33]),
            case("more than a tile", &[70, 40], &[40, 132]),
            case("whole tiles", &[64, 64], &[64, 64]),
            case("nothing to add", &[3, 0], &[0, 2]),
            case("no rows", &[0, 3], &[3, 2]),
            case("batched", &[2, 3, 20, 24], &[2, 3, 24, 36]),
            case("broadcast", &[3, 1, 17, 5], &[2, 5, 18]),
            turned("a transposed", &[20, 36], &[20, 33], true, false),
            turned("b transposed", &[33, 20], &[36, 20], false, true),
            turned("both transposed", &[2, 17, 20], &[2, 40, 17], true, true),
            gradients(case("odd sizes", &[17, 20], &[20, 18])),
            gradients(turned("both transposed", &[20, 16], &[2, 24, 20], true, true)),
            long("a long sum in parts", &[17, 2000], &[2000, 20]),
            long("a long sum in ranges", &[16, 20_000], &[20_000, 16]),
        ]
    }),
};

/// A product of f16 operands, in f32.
#[derive(Clone, Debug, Default)]
pub(crate) struct MatMulF16;

/// The product of two checked and broadcast operands, in f32.
pub(super) fn product(a: &Tensor, b: &Tensor, site: crate::Site) -> Result<Tensor> {
    a.graph().apply_one(MatMulF16, &[a, b], site)
}

/// The inner product that does the same in f32.
const SINGLE: MatMul = MatMul { sums: None };

impl Op for MatMulF16 {
    fn name(&self) -> &str {
        REGISTERED.name
    }

    fn infer(&self, inputs: &[Meta]) -> Result<Vec<Meta>, String> {
        let (a, b) = (&inputs[0], &inputs[1]);
        // In an f64 graph both are f64.
        let to = match (a.dtype, b.dtype) {
            (DType::F16, DType::F16) => DType::F32,
            (DType::F64, DType::F64) => DType::F64,
            (a, b) => return Err(format!("it takes two f16 operands, got {a} and {b}; cast first")),
        };
        let single = |m: &Meta| Meta { dtype: to, ..m.clone() };
        SINGLE.infer(&[single(a), single(b)])
    }

    fn reference(&self, inputs: &[Reference], outputs: &mut [Reference]) -> Result<(), String> {
        SINGLE.reference(inputs, outputs)
    }

    fn cpu(&self, io: &mut CpuIo<'_>) -> Result<bool, String> {
        let widened: Vec<Vec<f32>> = io
            .inputs
            .iter()
            .map_while(|i| match i.data {
                Slice::F16(s) => {
                    let end = i.layout.extent().min(s.len());
                    Some(s[..end].iter().map(|x| x.to_f32()).collect())
                }
                _ => None,
            })
            .collect();
        if widened.len() < io.inputs.len() {
            return Ok(false);
        }
        let inputs = io
            .inputs
            .iter()
            .zip(&widened)
            .map(|(i, wide)| CpuInput { dtype: DType::F32, layout: i.layout, data: Slice::F32(wide) })
            .collect();
        let outputs = io.outputs.iter_mut().map(CpuOutput::reborrow).collect();
        SINGLE.cpu(&mut CpuIo { inputs, outputs })
    }

    fn kernels(&self, request: &KernelRequest<'_>) -> Result<Vec<Lowering>, String> {
        if let Some(d) = request.inputs.iter().find(|o| o.dtype != DType::F16) {
            return Err(format!("{} products run on the CPU only", d.dtype));
        }
        let single = |o: &KernelOperand| KernelOperand { dtype: DType::F32, layout: o.layout.clone() };
        let inputs: Vec<KernelOperand> = request.inputs.iter().map(single).collect();
        let mut tiled = kernels::lower(None, &KernelRequest { inputs: &inputs, ..*request })?;
        tiled.iter_mut().for_each(load_halves);
        let cooperative = cooperative::lower(request)?;
        Ok(if cooperative::pays(request) {
            [cooperative, tiled].concat()
        } else {
            [tiled, cooperative].concat()
        })
    }

    fn accepts(&self, input: usize, layout: &Layout) -> bool {
        SINGLE.accepts(input, layout)
    }

    fn in_rows(&self, rows: usize, shapes: &[Vec<usize>]) -> Option<Rows> {
        let (_, dims) = SINGLE.in_rows(rows, shapes)?;
        Some((Arc::new(self.clone()), dims))
    }

    fn emits(&self) -> bool {
        true
    }

    fn grad(&self, context: &GradContext<'_>) -> Result<Vec<Option<Tensor>>> {
        let (a, b) = (&context.inputs[0], &context.inputs[1]);
        let g = context.cotangent()?.cast(a.dtype())?;
        let da = if context.wanted[0] { Some(g.matmul(&b.transpose(-2, -1)?)?) } else { None };
        let db = if context.wanted[1] { Some(a.transpose(-2, -1)?.matmul(&g)?) } else { None };
        Ok(vec![da, db])
    }

    fn cost(&self, inputs: &[(DType, Layout)], outputs: &[(DType, Layout)]) -> Cost {
        SINGLE.cost(inputs, outputs)
    }
}

/// Lets the f32 kernels read f16 memory, through the functions by which they load.
fn load_halves(lowering: &mut Lowering) {
    for dispatch in &mut lowering.dispatches {
        for (input, name) in ["a", "b"].into_iter().enumerate() {
            let Some(slot) = dispatch.bindings.iter().position(|b| *b == BindTo::Input(input)) else {
                continue;
            };
            let text = format!(
                "enable f16;\n@group(0) @binding({}) var<storage, read> {name}: array<f16>;\n\n\
                 fn load_{name}(at: u32) -> f32 {{\n    return f32({name}[at]);\n}}\n",
                slot + 1
            );
            fused::hook(dispatch, ["load_a", "load_b"][input], &text);
            dispatch.kernel.needs.f16 = true;
        }
        dispatch.kernel.name = dispatch.kernel.name.replacen("matmul", "matmul_f16", 1);
    }
}
