//! What all kernels of attention share: flags, parameters, tables, and the text that the host adds in front.

use std::fmt::Write as _;

use super::{
    Normalizer,
    index::{Expression, Variable},
    op::{AttentionOp, BiasForm, PartOf},
    wgsl,
};
use crate::{
    DType,
    plan::{
        BindTo, ConstantValue, DispatchSpec, Grid, Kernel, KernelRequest, Needs, Params, Scratch, Source,
    },
};

/// What of an operation's request the kernels are made of.
pub(super) struct Call<'a> {
    pub op: &'a AttentionOp,
    pub request: &'a KernelRequest<'a>,
    pub(super) flags: Vec<&'static str>,
    /// Where the rows of q, k, v and the cotangent lie, and the steps between the elements of a row.
    rows_at: [([usize; 4], usize); 4],
    /// Memory for tables that are many, and the dispatches that fill it.
    pub scratch: Vec<Scratch>,
    pub packing: Vec<DispatchSpec>,
    pub table: Option<BindTo>,
    table_offsets: Vec<usize>,
}

/// What differs between the dispatches of one operation.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Shape {
    /// Workgroups; `params.count`.
    pub groups: usize,
    pub columns: usize,
    pub tiles: [usize; 4],
}

impl<'a> Call<'a> {
    pub fn new(op: &'a AttentionOp, request: &'a KernelRequest<'a>) -> Self {
        let s = &op.setting;
        let tables = op.table_inputs();
        let rows_at =
            [0, 1, 2, op.cotangent_input()].map(|i| match request.inputs.get(i).map(|o| &o.layout) {
                Some(l) if i < 3 || op.part != PartOf::Forward => {
                    let (steps, single) = (l.strides(), l.shape()[3] <= 1);
                    ([l.offset(), steps[0], steps[1], steps[2]], if single { 1 } else { steps[3] })
                }
                _ => ([0; 4], 1),
            });
        let masked = !matches!(s.mask.expression(), Expression::Truth(true));
        let flags = [
            (op.part == PartOf::Value, "values"),
            (s.softcap.is_some(), "softcap"),
            (s.alibi, "alibi"),
            (s.bias.is_some(), "bias"),
            (s.bias == Some(BiasForm::Relative), "relative"),
            (s.top_k.is_some(), "top_k"),
            (s.normalizer == Normalizer::Sparsemax, "sparsemax"),
            (s.normalizer == Normalizer::Entmax15, "entmax15"),
            (!tables.is_empty(), "tables"),
            (masked, "masked"),
            (rows_at.iter().any(|&(_, apart)| apart != 1), "apart"),
        ];
        let mut call = Self {
            op,
            request,
            flags: flags.iter().filter(|(on, _)| *on).map(|(_, name)| *name).collect(),
            rows_at,
            scratch: Vec::new(),
            packing: Vec::new(),
            table: None,
            table_offsets: vec![0],
        };
        call.take_tables();
        call
    }

    pub fn shape(&self, input: usize) -> &'a [usize] {
        self.request.inputs[input].layout.shape()
    }

    pub fn is_masked(&self) -> bool {
        self.flags.contains(&"masked")
    }

    /// One table is read where it lies; several, or one of another type, are copied behind one another.
    fn take_tables(&mut self) {
        let tables = self.op.table_inputs();
        let count = |i: usize| self.request.inputs[i].layout.count();
        let mut end = 0;
        for i in tables.clone() {
            end += count(i);
            self.table_offsets.push(end);
        }
        if tables.len() == 1 && self.request.inputs[tables.start].dtype == DType::I32 {
            self.table = Some(BindTo::Input(tables.start));
        } else if !tables.is_empty() {
            self.table = Some(BindTo::ScratchRead(0));
            self.scratch.push(Scratch { dtype: DType::I32, count: end });
            for (i, offset) in tables.zip(&self.table_offsets) {
                self.packing.push(DispatchSpec {
                    kernel: Kernel {
                        name: "attention_pack".into(),
                        ..Kernel::named("attention/pack", Vec::new())
                    },
                    bindings: vec![BindTo::Input(i), BindTo::Scratch(0)],
                    params: Params::new().u32(count(i)).u32(*offset).u32(0usize).u32(0usize),
                    grid: Grid::Linear(count(i).div_ceil(256) as u64),
                    flat: None,
                });
            }
        }
    }

    /// Heads, rows and keys of the bias, and the steps between them; the radius where it is relative.
    fn bias(&self) -> ([usize; 3], [usize; 3], usize) {
        let Some(i) = self.op.bias_input() else { return ([1; 3], [0; 3], 0) };
        let bias = self.shape(i);
        let at = |dim: usize, step: usize| if bias[dim] == 1 { 0 } else { step };
        if self.op.setting.bias == Some(BiasForm::Relative) {
            ([bias[0], 1, 1], [at(0, bias[1]), 0, 0], bias[1] / 2)
        } else {
            let steps = [at(0, bias[1] * bias[2]), at(1, bias[2]), at(2, 1)];
            ([bias[0], bias[1], bias[2]], steps, 0)
        }
    }

    pub(super) fn params(&self, of: Shape) -> Params {
        let s = &self.op.setting;
        let (q, v) = (self.shape(0), self.shape(2));
        let rows = q[0] * q[1] * q[2];
        let (sizes, steps, radius) = self.bias();
        let scale = s.scale.unwrap_or(1.0 / (q[3] as f64).sqrt());
        let mut params = [rows, q[1], v[1], q[2], v[2], q[3], v[3], s.top_k.unwrap_or(0)]
            .into_iter()
            .fold(Params::new(), Params::u32)
            .f32(scale as f32)
            .f32(s.softcap.unwrap_or(0.0) as f32)
            .u32(of.columns)
            .u32(of.groups);
        params = steps.into_iter().chain([radius]).chain(sizes).chain([0]).fold(params, Params::u32);
        params = of.tiles.into_iter().fold(params, Params::u32);
        params = self.rows_at.iter().flat_map(|(first, _)| first).fold(params, |p, &n| p.u32(n));
        params = self.rows_at.iter().fold(params, |p, (_, apart)| p.u32(*apart));
        let tables = self.op.table_inputs();
        for (i, offset) in tables.clone().zip(&self.table_offsets) {
            params = [*offset, 0, 0, 0].into_iter().fold(params, Params::u32);
            let dims = self.shape(i);
            params = std::iter::repeat_n(&1, 4usize.saturating_sub(dims.len()))
                .chain(dims)
                .fold(params, |p, &n| p.u32(n));
        }
        if tables.is_empty() {
            params = [0usize; 4].into_iter().fold(params, Params::u32);
        }
        params
    }

    /// A kernel over bindings of its own, which those that are named (and there) follow, with flags of its own.
    fn dispatch_with(
        &self,
        name: String,
        file: &str,
        own: &[BindTo],
        named: &[(Option<BindTo>, &str)],
        flags: &[&'static str],
        shape: Shape,
    ) -> DispatchSpec {
        let (mut bindings, mut text) = (own.to_vec(), String::new());
        for (bind, declared) in named {
            if let Some(bind) = bind {
                bindings.push(*bind);
                let _ =
                    writeln!(text, "@group(0) @binding({}) var<storage, read> {declared};", bindings.len());
            }
        }
        if self.is_masked() {
            text.push_str(&wgsl::allowed(&self.op.setting.mask));
        }
        if file == "kinds" {
            text.push_str(&wgsl::allowed_range(&self.op.setting.mask));
        }
        let _ = writeln!(text, "#import attention/{file}");
        DispatchSpec {
            kernel: Kernel {
                name,
                source: Source::Text(text.as_str().into()),
                flags: self.flags.iter().chain(flags).copied().collect(),
                constants: vec![("TABLE_WORDS", self.table_words())],
                needs: Needs::default(),
            },
            bindings,
            params: self.params(shape),
            grid: Grid::Linear(shape.groups as u64),
            flat: None,
        }
    }

    /// A kernel over queries, keys and values: the tables, the bias and perhaps the lists of tiles follow its own bindings.
    pub fn dispatch(
        &self,
        name: &str,
        file: &str,
        own: &[BindTo],
        lists: Option<BindTo>,
        flags: &[&'static str],
        shape: Shape,
    ) -> DispatchSpec {
        let named = [
            (self.table, "tables: array<i32>"),
            (self.op.bias_input().map(BindTo::Input), "bias: array<f32>"),
            (lists, "lists: array<u32>"),
        ];
        self.dispatch_with(name.into(), file, own, &named, flags, shape)
    }

    /// What the mask leaves of each pair of tiles.
    pub fn kinds(&self, to: BindTo, shape: Shape) -> DispatchSpec {
        let named = [(self.table, "tables: array<i32>")];
        self.dispatch_with("attention_kinds".into(), "kinds", &[to], &named, &[], shape)
    }

    /// The lists of tiles, of what the mask leaves.
    pub fn lists(&self, kinds: BindTo, to: BindTo, by_key: bool, shape: Shape) -> DispatchSpec {
        let kernel = Kernel {
            name: "attention_lists".into(),
            flags: if by_key { vec!["by_key"] } else { Vec::new() },
            ..Kernel::named("attention/lists", vec![("TABLE_WORDS", self.table_words())])
        };
        let (params, grid) = (self.params(shape), Grid::Linear(shape.groups as u64));
        DispatchSpec { kernel, bindings: vec![kinds, to], params, grid, flat: None }
    }

    pub(super) fn table_words(&self) -> ConstantValue {
        ConstantValue::U32((2 * self.op.table_inputs().len()).max(1) as u32)
    }

    /// The batches and heads whose masks may differ: 1 where all have one.
    pub fn planes(&self) -> [usize; 2] {
        let q = self.shape(0);
        let mask = &self.op.setting.mask;
        let or_one = |v: Variable, n: usize| if mask.mentions(v) { n } else { 1 };
        [or_one(Variable::Batch, q[0]), or_one(Variable::Head, q[1])]
    }
}
