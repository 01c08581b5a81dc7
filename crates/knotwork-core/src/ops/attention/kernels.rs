//! The dispatches of attention.

use std::fmt::Write as _;

use super::{
    Normalizer,
    index::Expression,
    op::{AttentionOp, BiasForm, PartOf},
    wgsl,
};
use crate::{
    DType,
    ops::Op as _,
    plan::{
        BindTo, ConstantValue, DispatchSpec, Grid, Kernel, KernelRequest, Lowering, Needs, Params, Scratch,
        Source,
    },
};

/// Keys whose scores a workgroup keeps in its memory.
const CACHE: usize = 2048;
const THREADS: usize = 64;

pub(super) fn lower(op: &AttentionOp, request: &KernelRequest<'_>) -> Result<Vec<Lowering>, String> {
    if request.outputs[0].dtype != DType::F32 {
        return Err(format!("{} runs on the CPU only", request.outputs[0].dtype));
    }
    let s = &op.setting;
    let shape = |i: usize| request.inputs[i].layout.shape();
    let (q, v) = (shape(0), shape(2));
    let rows = q[0] * q[1] * q[2];
    let all_keys = v[0] * v[1] * v[2];
    let (file, groups, columns) = match op.part {
        PartOf::Forward => ("forward", rows, v[3]),
        PartOf::Rows => ("rows", rows, 1),
        PartOf::Query => ("query", rows, q[3]),
        PartOf::Key => ("key", all_keys, q[3]),
        PartOf::Value => ("key", all_keys, v[3]),
        PartOf::Bias => ("bias", request.outputs[0].layout.count(), 1),
    };
    let mut flags = Vec::new();
    let mut flag = |on: bool, name: &'static str| {
        if on {
            flags.push(name);
        }
    };
    let tables = op.table_inputs();
    flag(op.part == PartOf::Value, "values");
    flag(s.softcap.is_some(), "softcap");
    flag(s.alibi, "alibi");
    flag(s.bias.is_some(), "bias");
    flag(s.bias == Some(BiasForm::Relative), "relative");
    flag(s.top_k.is_some(), "top_k");
    flag(s.normalizer == Normalizer::Sparsemax, "sparsemax");
    flag(s.normalizer == Normalizer::Entmax15, "entmax15");
    flag(!tables.is_empty(), "tables");
    let masked = !matches!(s.mask.expression(), Expression::Truth(true));
    flag(masked, "masked");

    // Where the rows of q, k, v and the cotangent lie, and the steps between the elements of a row.
    let rows_at = [0, 1, 2, op.cotangent_input()].map(|i| match request.inputs.get(i).map(|o| &o.layout) {
        Some(l) if i < 3 || op.part != PartOf::Forward => {
            let (steps, single) = (l.strides(), l.shape()[3] <= 1);
            ([l.offset(), steps[0], steps[1], steps[2]], if single { 1 } else { steps[3] })
        }
        _ => ([0; 4], 1),
    });
    flag(rows_at.iter().any(|&(_, apart)| apart != 1), "apart");

    let mut scratch = Vec::new();
    let mut packing = Vec::new();
    let mut table = None;
    let mut offsets = vec![0];
    for i in tables.clone() {
        offsets.push(offsets[offsets.len() - 1] + request.inputs[i].layout.count());
    }
    if tables.len() == 1 && request.inputs[tables.start].dtype == DType::I32 {
        table = Some(BindTo::Input(tables.start));
    } else if !tables.is_empty() {
        table = Some(BindTo::ScratchRead(0));
        scratch.push(Scratch { dtype: DType::I32, count: offsets[tables.len()] });
        for (i, offset) in tables.clone().zip(&offsets) {
            let count = request.inputs[i].layout.count();
            packing.push(DispatchSpec {
                kernel: Kernel {
                    name: "attention_pack".into(),
                    ..Kernel::named("attention/pack", Vec::new())
                },
                bindings: vec![BindTo::Input(i), BindTo::Scratch(0)],
                params: Params::new().u32(count).u32(*offset).u32(0usize).u32(0usize),
                grid: Grid::Linear(count.div_ceil(256) as u64),
                flat: None,
            });
        }
    }

    // Heads, rows and keys of the bias, and the steps between them; the radius where it is relative.
    let (mut sizes, mut steps, mut radius) = ([1; 3], [0; 3], 0);
    if let Some(i) = op.bias_input() {
        let bias = shape(i);
        let at = |dim: usize, step: usize| if bias[dim] == 1 { 0 } else { step };
        if s.bias == Some(BiasForm::Relative) {
            (sizes, steps, radius) = ([bias[0], 1, 1], [at(0, bias[1]), 0, 0], bias[1] / 2);
        } else {
            sizes = [bias[0], bias[1], bias[2]];
            steps = [at(0, bias[1] * bias[2]), at(1, bias[2]), at(2, 1)];
        }
    }
    let scale = s.scale.unwrap_or(1.0 / (q[3] as f64).sqrt());
    let mut params = [rows, q[1], v[1], q[2], v[2], q[3], v[3], s.top_k.unwrap_or(0)]
        .into_iter()
        .fold(Params::new(), Params::u32)
        .f32(scale as f32)
        .f32(s.softcap.unwrap_or(0.0) as f32)
        .u32(columns.next_power_of_two().min(THREADS))
        .u32(groups);
    params = steps.into_iter().chain([radius]).chain(sizes).chain([0]).fold(params, Params::u32);
    params = rows_at.iter().flat_map(|(first, _)| first).fold(params, |p, &n| p.u32(n));
    params = rows_at.iter().fold(params, |p, (_, apart)| p.u32(*apart));
    for (i, offset) in tables.clone().zip(&offsets) {
        params = [*offset, 0, 0, 0].into_iter().fold(params, Params::u32);
        let dims = shape(i);
        params = std::iter::repeat_n(&1, 4usize.saturating_sub(dims.len()))
            .chain(dims)
            .fold(params, |p, &n| p.u32(n));
    }
    if tables.is_empty() {
        params = [0usize; 4].into_iter().fold(params, Params::u32);
    }
    let words = (2 * tables.len()).max(1) as u32;
    // A kernel over bindings of its own, which the table and the bias follow.
    let dispatch = |name: &str, file: &str, own: &[BindTo], more: Option<&'static str>| {
        let (mut bindings, mut text) = (own.to_vec(), String::new());
        for (bind, declared) in
            [(table, "tables: array<i32>"), (op.bias_input().map(BindTo::Input), "bias: array<f32>")]
        {
            if let Some(bind) = bind {
                bindings.push(bind);
                let _ =
                    writeln!(text, "@group(0) @binding({}) var<storage, read> {declared};", bindings.len());
            }
        }
        if masked {
            text.push_str(&wgsl::allowed(&s.mask));
        }
        let _ = writeln!(text, "#import attention/{file}");
        let kernel = Kernel {
            name: name.into(),
            source: Source::Text(text.as_str().into()),
            flags: flags.iter().copied().chain(more).collect(),
            constants: vec![("TABLE_WORDS", ConstantValue::U32(words))],
            needs: Needs::default(),
        };
        DispatchSpec {
            kernel,
            bindings,
            params: params.clone(),
            grid: Grid::Linear(groups as u64),
            flat: None,
        }
    };
    let variant = |name: &'static str, kernels: Vec<DispatchSpec>| Lowering {
        variant: name,
        scratch: scratch.clone(),
        dispatches: packing.iter().cloned().chain(kernels).collect(),
    };
    let given: Vec<BindTo> =
        (0..3).chain((op.part != PartOf::Forward).then(|| op.cotangent_input())).map(BindTo::Input).collect();
    let numbers = BindTo::Input(op.cotangent_input() + 1);
    let outputs = (0..request.outputs.len()).map(BindTo::Output);
    let own = match op.part {
        PartOf::Forward => given.iter().copied().chain(outputs).collect(),
        _ => [&given[..], &[numbers]].concat().into_iter().chain(outputs).collect::<Vec<_>>(),
    };
    let streamed = variant("streamed", vec![dispatch(op.name(), file, &own, None)]);
    Ok(match op.part {
        PartOf::Forward if v[2] <= CACHE => {
            let cached = dispatch(&format!("{}_cached", op.name()), file, &own, Some("cached"));
            vec![variant("cached", vec![cached]), streamed]
        }
        PartOf::Forward => vec![streamed],
        // With a table and a bias the two outputs are a buffer too many for some devices.
        PartOf::Query if table.is_some() && op.bias_input().is_some() => {
            let found = [&given[..], &[numbers, BindTo::Output(1)]].concat();
            let taken = [&given[..], &[BindTo::Output(1), BindTo::Output(0)]].concat();
            let after = vec![
                dispatch("attention_rows", "rows", &found, None),
                dispatch(op.name(), file, &taken, Some("given")),
            ];
            vec![Lowering { variant: "a_group_each", ..streamed }, variant("rows_first", after)]
        }
        _ => vec![Lowering { variant: "a_group_each", ..streamed }],
    })
}
