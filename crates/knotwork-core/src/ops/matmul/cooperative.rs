//! Products of f16 operands by cooperative matrices, which the threads of a subgroup multiply together.

use super::{Sizes, kernels::BATCH_DIMS, sizes, tiles};
use crate::{
    DType, Result,
    ops::reduce,
    plan::{
        BindTo, ConstantValue, CooperativeMatrix, DispatchSpec, Grid, Kernel, KernelRequest, Lowering, Needs,
        Params, Scratch, Source,
    },
};

/// Indices of K that are staged at once; so many that both sizes of matrices divide it.
const DEPTH: usize = 32;
/// Indices of K that one workgroup sums at most: see `kernels`, where the driver that ends long loops is named.
const RANGE: usize = 8192;
/// Indices of K that are worth a workgroup.
const SPAN: usize = 512;
/// Subgroups that multiply in a workgroup: two by two.
const SUBGROUPS: u32 = 4;
/// Elements that a line in workgroup memory is padded by.
const PAD: usize = 8;
/// Below so many rows, columns or indices of K the matrices are mostly padding.
const SMALL: usize = 16;

/// A kernel: the matrices' size, and the matrices a side of a subgroup's block.
struct Form {
    variant: &'static str,
    split: &'static str,
    size: u32,
    block: u32,
}

const fn form(variant: &'static str, split: &'static str, size: u32, block: u32) -> Form {
    Form { variant, split, size, block }
}

/// By the size of matrices, then of blocks, the larger first: they read less for each product.
const FORMS: [[Form; 2]; 2] = [
    [
        form("cooperative16_block4", "cooperative16_block4_split", 16, 4),
        form("cooperative16_block2", "cooperative16_block2_split", 16, 2),
    ],
    [
        form("cooperative8_block4", "cooperative8_block4_split", 8, 4),
        form("cooperative8_block2", "cooperative8_block2_split", 8, 2),
    ],
];

impl Form {
    fn shader(&self) -> &'static str {
        if self.block == 4 { "matmul/cooperative/block4" } else { "matmul/cooperative/block2" }
    }

    fn matrix(&self) -> CooperativeMatrix {
        CooperativeMatrix { size: self.size, operands: DType::F16, sums: DType::F32 }
    }

    /// Rows and columns of a workgroup's tile.
    fn side(&self) -> usize {
        (2 * self.block * self.size) as usize
    }

    fn tiles(&self, s: &Sizes) -> usize {
        s.m.div_ceil(self.side()) * s.n.div_ceil(self.side()) * batches(s)
    }

    /// Bytes of workgroup memory: both operands' lines, however they lie, and a matrix of sums a subgroup.
    fn workgroup_bytes(&self) -> usize {
        let line = |lines: usize, line: usize| lines * (line + PAD);
        let staged = line(self.side(), DEPTH).max(line(DEPTH, self.side()));
        2 * 2 * staged + (4 * SUBGROUPS * self.size * self.size) as usize
    }
}

fn batches(s: &Sizes) -> usize {
    s.batch.iter().map(|b| b.0).product()
}

/// Whether an operand can be read four elements at a time, given the (size, stride) along a line, of the lines and of the
/// leading dimensions.
fn in_vectors(
    offset: usize,
    line: (usize, usize),
    lines: (usize, usize),
    batch: impl Iterator<Item = (usize, usize)>,
) -> bool {
    let mut steps = batch.chain([lines]);
    line.1 == 1
        && line.0.is_multiple_of(4)
        && offset.is_multiple_of(4)
        && steps.all(|(n, stride)| n <= 1 || stride.is_multiple_of(4))
}

/// Whether the shapes fill the matrices.
pub(super) fn pays(request: &KernelRequest<'_>) -> bool {
    let s = sizes(&request.inputs[0].layout, &request.inputs[1].layout);
    s.m.min(s.n).min(s.k) >= SMALL
}

/// The variants for f16 operands and an f32 result, best first; none where the device has no subgroups.
pub(super) fn lower(request: &KernelRequest<'_>) -> Result<Vec<Lowering>, String> {
    let s = sizes(&request.inputs[0].layout, &request.inputs[1].layout);
    if s.batch.len() > BATCH_DIMS {
        return Err(format!("{} strided leading dimensions; the kernel walks {BATCH_DIMS}", s.batch.len()));
    }
    let Some((_, widest)) = request.capabilities.subgroup_size else { return Ok(Vec::new()) };
    let few = tiles::few(request.capabilities);
    let mut all = Vec::new();
    for [large, small] in &FORMS {
        // Large blocks pay where they keep a device busy.
        let forms = if large.tiles(&s) >= few { [large, small] } else { [small, large] };
        for form in forms {
            let product = Product { form, request, s: &s, threads: SUBGROUPS * widest };
            let tiles = form.tiles(&s).max(1);
            let parts = (2 * few / tiles).min(s.k / SPAN);
            if tiles < few && parts > 1 && s.k.div_ceil(parts) <= RANGE {
                all.push(product.in_parts(parts));
            }
            all.push(product.in_ranges());
        }
    }
    Ok(all)
}

struct Product<'a> {
    form: &'a Form,
    request: &'a KernelRequest<'a>,
    s: &'a Sizes,
    threads: u32,
}

impl Product<'_> {
    /// Range after range of K, each dispatch adding to the one before. A sum of nothing is one range: it writes the zeros.
    fn in_ranges(&self) -> Lowering {
        let k = self.s.k;
        let starts = (0..k.max(1)).step_by(RANGE);
        let dispatches = starts.map(|at| self.dispatch((at, (at + RANGE).min(k)), 1, BindTo::Output(0)));
        Lowering { variant: self.form.variant, scratch: Vec::new(), dispatches: dispatches.collect() }
    }

    /// Parts of K at once, which are then added in their order.
    fn in_parts(&self, parts: usize) -> Lowering {
        let count = self.request.outputs[0].layout.count();
        let sum = reduce::sum_of_parts(count, parts, BindTo::ScratchRead(0), BindTo::Output(0));
        Lowering {
            variant: self.form.split,
            scratch: vec![Scratch { dtype: DType::F32, count: count * parts }],
            dispatches: vec![self.dispatch((0, self.s.k), parts, BindTo::Scratch(0)), sum],
        }
    }

    fn dispatch(&self, range: (usize, usize), parts: usize, to: BindTo) -> DispatchSpec {
        let (s, form) = (self.s, self.form);
        let (la, lb) = (&self.request.inputs[0].layout, &self.request.inputs[1].layout);
        let mut flags = Vec::new();
        if s.a.1 > s.a.0 {
            flags.push("a_by_columns");
        }
        if s.b.0 < s.b.1 {
            flags.push("b_by_columns");
        }
        if range.0 > 0 {
            flags.push("accumulate");
        }
        // Along a line, and from line to line.
        let (line_a, step_a) =
            if s.a.1 > s.a.0 { ((s.m, s.a.0), (s.k, s.a.1)) } else { ((s.k, s.a.1), (s.m, s.a.0)) };
        let (line_b, step_b) =
            if s.b.0 < s.b.1 { ((s.k, s.b.0), (s.n, s.b.1)) } else { ((s.n, s.b.1), (s.k, s.b.0)) };
        if in_vectors(la.offset(), line_a, step_a, s.batch.iter().map(|b| (b.0, b.1))) {
            flags.push("a_vectors");
        }
        if in_vectors(lb.offset(), line_b, step_b, s.batch.iter().map(|b| (b.0, b.2))) {
            flags.push("b_vectors");
        }
        let gap = BATCH_DIMS - s.batch.len();
        let padded = |f: fn(&(usize, usize, usize)) -> usize, or: usize| {
            std::iter::repeat_n(or, gap).chain(s.batch.iter().map(f)).collect::<Vec<_>>()
        };
        let mut params = Params::new().u32(s.m).u32(s.n).u32(s.k).u32(batches(s));
        params = params.u32(la.offset()).u32(s.a.0).u32(s.a.1).u32(0usize);
        params = params.u32(lb.offset()).u32(s.b.0).u32(s.b.1).u32(0usize);
        let words = [padded(|b| b.0, 1), padded(|b| b.1, 0), padded(|b| b.2, 0)].concat();
        params = words.iter().fold(params, |p, &w| p.u32(w));
        // Whole steps, so that no vector lies in two parts.
        let span = (range.1 - range.0).div_ceil(parts).next_multiple_of(DEPTH);
        params = params.u32(range.0).u32(range.1).u32(span).u32(parts);
        let matrix =
            |of: &str, role: &str| ConstantValue::Type(format!("coop_mat{0}x{0}<{of}, {role}>", form.size));
        DispatchSpec {
            kernel: Kernel {
                name: format!("matmul_{}", form.variant),
                source: Source::Named(form.shader()),
                flags,
                constants: vec![
                    ("SIZE", form.size.into()),
                    ("BLOCK", form.block.into()),
                    ("THREADS", self.threads.into()),
                    ("DEPTH", (DEPTH as u32).into()),
                    ("MatrixA", matrix("f16", "A")),
                    ("MatrixB", matrix("f16", "B")),
                    ("MatrixC", matrix("f32", "C")),
                ],
                needs: Needs {
                    f16: true,
                    subgroups: true,
                    cooperative: Some(form.matrix()),
                    threads: self.threads,
                    workgroup_bytes: form.workgroup_bytes() as u32,
                },
            },
            bindings: vec![BindTo::Input(0), BindTo::Input(1), to],
            params,
            grid: Grid::Linear((form.tiles(s) * parts) as u64),
            flat: None,
        }
    }
}
