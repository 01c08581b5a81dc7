//! The dispatches of a convolution and its gradients.

use super::{
    op::{Convolution, Part, Sizes},
    plain,
    tiles::{self, Product, Tile},
};
use crate::{
    DType, Result,
    ops::reduce,
    plan::{
        BindTo, ConstantValue, DispatchSpec, Grid, Kernel, KernelRequest, Lowering, Needs, Params, Scratch,
        Source,
    },
};

/// Longer sums are never one thread's.
const DIRECT: usize = 4096;
/// Indices of the sum that one workgroup takes at most: a limit of lavapipe's loops, as in `matmul`.
const RANGE: usize = 8192;
/// Indices of the sum that are worth a workgroup.
const SPAN: usize = 256;
/// Steps of a tile: parts of k begin at multiples of this.
const DEPTH: usize = 16;
/// Indices of one sum in a tile from which sums of sums are worth their registers: long chains of f32 lose digits.
const CHAIN: usize = 128;
/// Multiplications up to which the direct kernel is the faster one.
const SMALL: usize = 1 << 16;
/// Channels that a thread of the kernels without tiles makes at most.
const ROWS: usize = 4;
/// Columns up to which tiles would be mostly empty.
const NARROW: usize = 16;
/// Places that a thread of `dots` sums at most: each takes up to 17 turns of a loop.
const TURNS: usize = 2048;

pub(super) fn lower(op: &Convolution, request: &KernelRequest<'_>) -> Result<Vec<Lowering>, String> {
    if request.outputs[0].dtype != DType::F32 {
        return Err(format!("{} convolutions run on the CPU only", request.outputs[0].dtype));
    }
    let [a, b] = [0, 1].map(|i| request.inputs[i].layout.shape());
    let s = op.sizes(a, b, request.outputs[0].layout.shape());
    if let Some(all) = plain::lower(op, &s, request)? {
        return Ok(all);
    }
    let make = Make::new(op, s, request);
    let mut all = make.tiled();
    match op.part {
        Part::Weight(_) => {
            let p = &make.product;
            let at = if p.m <= ROWS || p.n <= NARROW || make.work() <= SMALL { 0 } else { all.len() };
            all.insert(at, make.dots());
        }
        _ if make.product.k <= DIRECT => {
            let first = make.product.m <= ROWS || make.work() <= SMALL;
            all.insert(if first { 0 } else { all.len() }, make.direct());
        }
        _ => {}
    }
    Ok(all)
}

/// Which elements of x meet which taps: those of one place modulo the stride, in the gradient to the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Phases {
    /// How many there are, down and across.
    count: [usize; 2],
    /// Places that one has at most.
    places: [usize; 2],
    /// Taps that one has at most, and the distance between them.
    taps: [usize; 2],
    step: [usize; 2],
}

impl Phases {
    fn new(op: &Convolution, s: &Sizes) -> Self {
        let both =
            |f: fn(usize, usize) -> usize, a: [usize; 2], b: [usize; 2]| [f(a[0], b[0]), f(a[1], b[1])];
        if !matches!(op.part, Part::Input(_)) {
            return Self { count: [1, 1], places: s.out, taps: s.kernel, step: [1, 1] };
        }
        let stride = op.options.stride;
        let apart = both(|stride, dilation| stride / gcd(stride, dilation), stride, op.options.dilation);
        // Where a phase has one tap, its distance to the next says nothing, and may be anything.
        let step = both(usize::min, apart, s.kernel);
        Self {
            count: both(usize::min, stride, s.image),
            places: both(usize::div_ceil, s.image, stride),
            taps: both(usize::div_ceil, s.kernel, step),
            step,
        }
    }
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

struct Make<'a> {
    request: &'a KernelRequest<'a>,
    op: &'a Convolution,
    s: Sizes,
    phases: Phases,
    product: Product,
    /// Flags that say which of the three it is, and the prefix of its kernels.
    flag: Option<&'static str>,
}

/// One use of a kernel.
struct Variant {
    name: &'static str,
    shader: &'static str,
    flags: Vec<&'static str>,
    constants: Vec<(&'static str, ConstantValue)>,
    /// Workgroups of one part.
    groups: usize,
}

impl<'a> Make<'a> {
    fn new(op: &'a Convolution, s: Sizes, request: &'a KernelRequest<'a>) -> Self {
        let phases = Phases::new(op, &s);
        let area = |[a, b]: [usize; 2]| a * b;
        let (m, n, k, flag) = match op.part {
            Part::Forward => (s.o, s.images * area(s.out), s.c * area(s.kernel), None),
            Part::Input(_) => {
                (s.c, s.images * area(phases.places), s.o * area(phases.taps), Some("to_input"))
            }
            Part::Weight(_) => (s.o, s.c * area(s.kernel), s.images * area(s.out), Some("to_weight")),
        };
        let product = Product { m, n, k, count: s.groups * area(phases.count) };
        Self { request, op, s, phases, product, flag }
    }

    /// Multiplications.
    fn work(&self) -> usize {
        self.product.m * self.product.n * self.product.k * self.product.count
    }

    /// Tiles by their estimated cost, k split where that is worth it.
    fn tiled(&self) -> Vec<Lowering> {
        let few = tiles::few(self.request.capabilities);
        let mut all: Vec<(f64, Lowering)> = Vec::new();
        for tile in tiles::tiles(&self.product) {
            let groups = tile.groups(&self.product).max(1);
            let wanted = if groups < few { (2 * few / groups).min(self.product.k / SPAN) } else { 1 };
            let least = self.product.k.div_ceil(RANGE).max(1);
            let cost = |parts| tile.cost(&self.product, parts, few);
            if least == 1 {
                all.push((cost(1), self.tile(&tile, 1)));
            }
            if wanted.max(least) > 1 {
                all.push((cost(wanted.max(least)), self.tile(&tile, wanted.max(least))));
            }
        }
        all.sort_by(|a, b| a.0.total_cmp(&b.0));
        all.into_iter().map(|(_, l)| l).collect()
    }

    fn tile(&self, tile: &Tile, parts: usize) -> Lowering {
        let mut flags = Vec::new();
        flags.extend((tile.each[0] == 8).then_some("rows8"));
        flags.extend((tile.each[1] == 8).then_some("cols8"));
        // Rows of a that lie along k, in fours.
        let fours = match self.op.part {
            Part::Forward => self.product.k.is_multiple_of(4),
            Part::Weight(_) => (self.s.out[0] * self.s.out[1]).is_multiple_of(4),
            Part::Input(_) => false,
        };
        flags.extend((fours && self.product.k > 0).then_some("vectors"));
        flags.extend((self.product.k.div_ceil(parts) > CHAIN).then_some("long"));
        let variant = Variant {
            name: if parts > 1 { tile.split } else { tile.name },
            shader: "conv2d/tiled",
            flags,
            constants: vec![("DOWN", tile.threads[0].into()), ("ACROSS", tile.threads[1].into())],
            groups: tile.groups(&self.product),
        };
        self.lowering(&variant, parts)
    }

    /// A thread makes some channels of four places.
    fn direct(&self) -> Lowering {
        let rows = self.product.m.next_power_of_two().min(ROWS);
        let [down, across] = self.phases.places;
        let threads = self.product.m.div_ceil(rows) * down.div_ceil(4) * across * self.s.images;
        let variant = Variant {
            name: "direct",
            shader: "conv2d/direct",
            flags: Vec::new(),
            constants: vec![("ROWS", (rows.max(1) as u32).into())],
            groups: (threads * self.product.count).div_ceil(256),
        };
        self.lowering(&variant, 1)
    }

    /// A workgroup makes some weights of some channels, its threads each with a part of the places.
    fn dots(&self) -> Lowering {
        let Product { m, n, k, count } = self.product;
        let rows = m.next_power_of_two().min(ROWS);
        let vectors = n.div_ceil(4).clamp(1, 3);
        let threads = if k <= 1024 { 64 } else { 256 };
        let groups = m.div_ceil(rows) * n.div_ceil(4 * vectors) * count;
        let few = tiles::few(self.request.capabilities);
        let wanted = if groups < few { (2 * few / groups.max(1)).min(k / (16 * threads)) } else { 1 };
        let parts = wanted.max(k.div_ceil(TURNS * threads)).max(1);
        let constants = [("ROWS", rows.max(1)), ("VECTORS", vectors), ("THREADS", threads)];
        let variant = Variant {
            name: if parts > 1 { "dots_split" } else { "dots" },
            shader: "conv2d/dots",
            flags: Vec::new(),
            constants: constants.map(|(name, value)| (name, (value as u32).into())).to_vec(),
            groups,
        };
        self.lowering(&variant, parts)
    }

    fn lowering(&self, variant: &Variant, parts: usize) -> Lowering {
        if parts == 1 {
            return Lowering::single(variant.name, self.dispatch(variant, 1, BindTo::Output(0)));
        }
        let count = self.request.outputs[0].layout.count();
        Lowering {
            variant: variant.name,
            scratch: vec![Scratch { dtype: DType::F32, count: count * parts }],
            dispatches: vec![
                self.dispatch(variant, parts, BindTo::Scratch(0)),
                reduce::sum_of_parts(count, parts, BindTo::ScratchRead(0), BindTo::Output(0)),
            ],
        }
    }

    fn dispatch(&self, variant: &Variant, parts: usize, to: BindTo) -> DispatchSpec {
        let (s, o, phases) = (&self.s, &self.op.options, &self.phases);
        let Product { m, n, k, .. } = self.product;
        let words = [
            [s.images, s.c, s.o, s.groups],
            [s.image[0], s.image[1], s.out[0], s.out[1]],
            [s.kernel[0], s.kernel[1], o.stride[0], o.stride[1]],
            [o.padding[0], o.padding[1], o.dilation[0], o.dilation[1]],
            [m, n, k, phases.count[0] * phases.count[1]],
            [k.div_ceil(parts).next_multiple_of(DEPTH), parts, 0, 0],
            [phases.count[1], phases.places[0], phases.places[1], 0],
            [phases.step[0], phases.step[1], 0, 0],
        ];
        let flags = self.flag.into_iter().chain(variant.flags.iter().copied()).collect();
        DispatchSpec {
            kernel: Kernel {
                name: format!("{}_{}", self.flag.unwrap_or("conv2d"), variant.name),
                source: Source::Named(variant.shader),
                flags,
                constants: variant.constants.clone(),
                needs: Needs::default(),
            },
            bindings: vec![BindTo::Input(0), BindTo::Input(1), to],
            params: words.concat().into_iter().fold(Params::new(), Params::u32),
            grid: Grid::Linear((variant.groups * parts) as u64),
            flat: None,
        }
    }
}
