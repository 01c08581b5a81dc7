//! The variants of a matrix product.

use super::{
    Sizes, classes, sizes,
    tiles::{self, Tile},
};
use crate::{
    DType, Layout, Result,
    ops::reduce,
    plan::{
        BindTo, ConstantValue, DispatchSpec, Grid, Kernel, KernelRequest, Lowering, Needs, Params, Scratch,
        Source,
    },
};

/// Rows and columns of a large tile.
pub(super) const LARGE_TILE: usize = 64;
/// Leading dimensions that a kernel can walk with strides; more are an error on a GPU.
pub(super) const BATCH_DIMS: usize = 4;
/// Indices of K that one workgroup sums at most. Longer sums take several dispatches: lavapipe ends all loops of an
/// invocation after 65,535 turns together, without a word, and 16 indices take up to about 25 turns.
const RANGE: usize = 8192;
/// Indices of K that are worth a workgroup.
const SPAN: usize = 256;
/// Parts of K begin at multiples of this.
const DEPTH: usize = 16;
/// Rows of a, or columns of b, up to which a product is one of vectors.
const VECTORS: usize = 4;

/// How a variant walks K.
#[derive(Clone, Copy)]
enum Walk {
    /// Range after range, each dispatch adding to the one before.
    Ranges,
    /// In so many parts at once, which are then added in their order.
    Parts(usize),
}

/// A kernel for a range of K.
struct Variant {
    name: &'static str,
    shader: &'static str,
    flags: Vec<&'static str>,
    constants: Vec<(&'static str, ConstantValue)>,
    needs: Needs,
    /// Workgroups that cover one matrix.
    groups: usize,
    /// Whether it stores fours at once, where nothing is to be added.
    vectors: bool,
}

/// A product to lower.
struct Product<'a> {
    request: &'a KernelRequest<'a>,
    s: Sizes,
    batches: usize,
    /// The operand of which sums over K are output 1.
    sums: Option<usize>,
}

/// `sums`: the operand of which sums over K are output 1.
pub(super) fn lower(sums: Option<usize>, request: &KernelRequest<'_>) -> Result<Vec<Lowering>, String> {
    if request.outputs[0].dtype != DType::F32 {
        return Err(format!("{} products run on the CPU only", request.outputs[0].dtype));
    }
    let s = sizes(&request.inputs[0].layout, &request.inputs[1].layout);
    if s.batch.len() > BATCH_DIMS {
        return Err(format!("{} strided leading dimensions; the kernel walks {BATCH_DIMS}", s.batch.len()));
    }
    let batches = s.batch.iter().map(|b| b.0).product();
    let product = Product { request, s, batches, sums };
    let mut all = product.tiled();
    if sums.is_none() {
        // What is read once is best read by kernels that do nothing else.
        let vectors = product.vectors();
        all.splice(0..0, vectors);
        all.push(product.ranges(product.naive()));
    }
    request.capabilities.tuned.order("matmul", &classes::class(&product.s, product.batches), &mut all);
    Ok(all)
}

impl Product<'_> {
    fn layout(&self, operand: usize) -> &Layout {
        &self.request.inputs[operand].layout
    }

    /// Size and stride of an operand along K, then across.
    fn directions(&self, operand: usize) -> [(usize, usize); 2] {
        let s = &self.s;
        [[(s.k, s.a.1), (s.m, s.a.0)], [(s.k, s.b.0), (s.n, s.b.1)]][operand]
    }

    /// Whether an operand's neighbours in memory are neighbours along K.
    fn lies_along_k(&self, operand: usize) -> bool {
        let [along, across] = self.directions(operand);
        across.0 == 1 || along.1 <= across.1
    }

    /// Whether an operand can be read as vectors along K, or across.
    fn in_fours(&self, operand: usize, along_k: bool) -> bool {
        let [along, across] = self.directions(operand);
        let (inner, outer) = if along_k { (along, across) } else { (across, along) };
        let four = |(n, stride): (usize, usize)| n == 1 || stride.is_multiple_of(4);
        let leading = |b: &(usize, usize, usize)| four((b.0, [b.1, b.2][operand]));
        // A product over nothing has operands of fewer than four elements.
        inner.1 == 1
            && inner.0.is_multiple_of(4)
            && self.s.k > 0
            && four(outer)
            && self.layout(operand).offset().is_multiple_of(4)
            && self.s.batch.iter().all(leading)
    }

    /// The flags that say how an operand is read.
    fn flags(&self, operand: usize, along_k: bool) -> impl Iterator<Item = &'static str> {
        let along = along_k.then_some(["a_along_k", "b_along_k"][operand]);
        let vectors = self.in_fours(operand, along_k).then_some(["a_vectors", "b_vectors"][operand]);
        along.into_iter().chain(vectors)
    }

    /// Tiles by their estimated cost, K split where that is worth it: where the smallest tiles keep a good part of a device
    /// busy, a second dispatch, and the parts through memory, are the dearer way; those come last then.
    fn tiled(&self) -> Vec<Lowering> {
        let (s, on) = (&self.s, self.request.capabilities);
        let smallest = tiles::tiles(s).iter().map(|t| t.count(s)).max().unwrap_or(0) * self.batches;
        let last = if smallest < tiles::few(on).div_ceil(4) { 0.0 } else { f64::INFINITY };
        let mut all: Vec<(f64, Lowering)> = Vec::new();
        for tile in tiles::tiles(s) {
            let cost = |parts| tile.cost(s, self.batches, parts, on);
            all.push((cost(1), self.ranges(self.tile(&tile, tile.name))));
            let few = tiles::few(on);
            let parts = self.parts(tile.count(s), few);
            if parts > 1 {
                all.push((cost(parts) + last, self.split(self.tile(&tile, tile.split), parts)));
            }
        }
        all.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut all: Vec<Lowering> = all.into_iter().map(|(_, l)| l).collect();
        // A tile of this size pays where larger ones would be mostly empty.
        let small = self.ranges(self.small());
        let at = if s.m.max(s.n) <= 32 { 0 } else { all.len() };
        all.insert(at, small);
        all
    }

    /// In how many parts K is split, so that twice as many workgroups as `few` have work; 1 where it is not.
    fn parts(&self, groups: usize, few: usize) -> usize {
        let groups = groups * self.batches;
        let parts = (2 * few / groups.max(1)).min(self.s.k / SPAN);
        let fits = self.s.k.div_ceil(parts.max(1)) <= RANGE;
        if groups < few && fits { parts.max(1) } else { 1 }
    }

    fn tile(&self, tile: &Tile, name: &'static str) -> Variant {
        let mut flags: Vec<_> = (0..2).flat_map(|o| self.flags(o, self.lies_along_k(o))).collect();
        flags.extend((tile.each[0] == 8).then_some("rows8"));
        flags.extend((tile.each[1] == 8).then_some("cols8"));
        let constants = vec![("DOWN", tile.threads[0].into()), ("ACROSS", tile.threads[1].into())];
        Variant {
            groups: tile.count(&self.s),
            constants,
            vectors: true,
            ..self.variant(name, "matmul/tiled", flags)
        }
    }

    /// Tiles of 16 x 16, an output a thread.
    fn small(&self) -> Variant {
        let by_columns = [(0, "a_by_columns", true), (1, "b_by_columns", false)];
        let flags = by_columns.iter().filter(|&&(o, _, turned)| {
            let [along, across] = self.directions(o);
            if turned { along.1 > across.1 } else { along.1 < across.1 }
        });
        let groups = self.s.m.div_ceil(16) * self.s.n.div_ceil(16);
        let flags = flags.map(|f| f.1).collect();
        Variant { groups, constants: vec![("EACH", 1u32.into())], ..self.variant("tile16", "matmul", flags) }
    }

    /// A thread an output.
    fn naive(&self) -> Variant {
        let groups = self.s.m.div_ceil(8) * self.s.n.div_ceil(8);
        Variant { groups, ..self.variant("naive", "matmul/naive", Vec::new()) }
    }

    /// Kernels for few rows of a or few columns of b.
    fn vectors(&self) -> Vec<Lowering> {
        let s = &self.s;
        if s.m.min(s.n) > VECTORS {
            return Vec::new();
        }
        let tall = s.n < s.m;
        let (long, short) = if tall { (0, 1) } else { (1, 0) };
        let along = self.lies_along_k(long);
        let (few, count) = if tall { (s.n, s.m) } else { (s.m, s.n) };
        let mut flags: Vec<_> = self.flags(long, along).chain(self.flags(short, true)).collect();
        flags.extend(tall.then_some("tall"));
        flags.extend(along.then_some("long_along_k"));
        // Threads of a vector along K: each has two fours of a short one.
        let lanes = s.k.div_ceil(8).next_power_of_two().clamp(4, 32);
        let each = if along { 256 / lanes } else { 128 };
        let constants = vec![("FEW", (few.max(1) as u32).into()), ("LANES", (lanes as u32).into())];
        let groups = count.div_ceil(each);
        let variant = |name| Variant {
            groups,
            constants: constants.clone(),
            ..self.variant(name, "matmul/vector", flags.clone())
        };
        let mut all = vec![self.ranges(variant("vector"))];
        if along && self.request.capabilities.subgroup_size.is_some() {
            // A workgroup for each vector.
            let mut whole = variant("vector_subgroups");
            whole.flags.push("subgroups");
            whole.needs.subgroups = true;
            whole.groups = count;
            whole.constants.retain(|(name, _)| *name != "LANES");
            whole.constants.extend([("THREADS", 64u32.into()), ("LANES", 64u32.into())]);
            all.push(self.ranges(whole));
        }
        let parts = self.parts(groups, tiles::few(self.request.capabilities));
        if parts > 1 {
            all.insert(0, self.split(variant("vector_split"), parts));
        }
        all
    }

    fn variant(&self, name: &'static str, shader: &'static str, flags: Vec<&'static str>) -> Variant {
        Variant {
            name,
            shader,
            flags,
            constants: Vec::new(),
            needs: Needs::default(),
            groups: 0,
            vectors: false,
        }
    }

    fn ranges(&self, variant: Variant) -> Lowering {
        self.lowering(&variant, Walk::Ranges)
    }

    fn split(&self, variant: Variant, parts: usize) -> Lowering {
        self.lowering(&variant, Walk::Parts(parts))
    }

    fn lowering(&self, variant: &Variant, walk: Walk) -> Lowering {
        let k = self.s.k;
        match walk {
            Walk::Ranges => Lowering {
                variant: variant.name,
                scratch: Vec::new(),
                // A product over nothing is one range of nothing: it writes the zeros.
                dispatches: (0..k.max(1))
                    .step_by(RANGE)
                    .map(|first| self.dispatch(variant, (first, (first + RANGE).min(k)), 1, BindTo::Output))
                    .collect(),
            },
            Walk::Parts(parts) => {
                let counts: Vec<usize> = self.request.outputs.iter().map(|o| o.layout.count()).collect();
                let mut dispatches = vec![self.dispatch(variant, (0, k), parts, BindTo::Scratch)];
                dispatches.extend(counts.iter().enumerate().map(|(i, &count)| {
                    reduce::sum_of_parts(count, parts, BindTo::ScratchRead(i), BindTo::Output(i))
                }));
                let scratch =
                    counts.iter().map(|c| Scratch { dtype: DType::F32, count: c * parts }).collect();
                Lowering { variant: variant.name, scratch, dispatches }
            }
        }
    }

    fn dispatch(
        &self,
        variant: &Variant,
        range: (usize, usize),
        parts: usize,
        to: fn(usize) -> BindTo,
    ) -> DispatchSpec {
        let s = &self.s;
        let mut flags = variant.flags.clone();
        if range.0 > 0 {
            flags.push("accumulate");
        } else if variant.vectors && s.n.is_multiple_of(4) {
            flags.push("c_vectors");
        }
        let mut bindings = vec![BindTo::Input(0), BindTo::Input(1), to(0)];
        if let Some(operand) = self.sums {
            flags.extend(["sums", ["sums_a", "sums_b"][operand]]);
            bindings.push(to(1));
        }
        let mut params = Params::new().u32(s.m).u32(s.n).u32(s.k).u32(self.batches);
        params = params.u32(self.layout(0).offset()).u32(s.a.0).u32(s.a.1).u32(0usize);
        params = params.u32(self.layout(1).offset()).u32(s.b.0).u32(s.b.1).u32(0usize);
        for (of, absent) in [(0, 1), (1, 0), (2, 0)] {
            let gap = std::iter::repeat_n(absent, BATCH_DIMS - s.batch.len());
            let words = gap.chain(s.batch.iter().map(|b| [b.0, b.1, b.2][of]));
            params = words.fold(params, Params::u32);
        }
        let span = (range.1 - range.0).div_ceil(parts).next_multiple_of(DEPTH);
        params = params.u32(range.0).u32(range.1).u32(span).u32(parts);
        DispatchSpec {
            kernel: Kernel {
                name: format!("matmul_{}", variant.name),
                source: Source::Named(variant.shader),
                flags,
                constants: variant.constants.clone(),
                needs: variant.needs,
            },
            bindings,
            params,
            grid: Grid::Linear((variant.groups * self.batches * parts) as u64),
            flat: None,
        }
    }
}
