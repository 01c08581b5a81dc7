//! The tiles of the register-tiled kernel, and which of them suits a product.

use super::Sizes;
use crate::plan::{Capabilities, Speed};

/// One tile size of `matmul/tiled`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tile {
    /// The variant.
    pub name: &'static str,
    /// The variant that splits K.
    pub split: &'static str,
    /// Threads down and across.
    pub threads: [u32; 2],
    /// Rows and columns of a thread: 4 or 8.
    pub each: [u32; 2],
    /// The share of a device's rate that a full tile reaches, relative to the others, by the loads from workgroup memory and
    /// the barriers that a multiplication costs. Only the order of variants without a tuned table hangs on it.
    rate: f64,
}

/// Multiplications with additions that a second dispatch costs, about, on hardware.
const DISPATCH: f64 = 1e7;

impl Tile {
    const fn new([name, split]: [&'static str; 2], threads: [u32; 2], each: [u32; 2], rate: f64) -> Self {
        Self { name, split, threads, each, rate }
    }

    /// Rows and columns.
    pub fn size(&self) -> [usize; 2] {
        [0, 1].map(|d| (self.threads[d] * self.each[d]) as usize)
    }

    /// How many of them cover a matrix.
    pub fn count(&self, s: &Sizes) -> usize {
        let [rows, columns] = self.size();
        s.m.div_ceil(rows) * s.n.div_ceil(columns)
    }

    /// About how long a product takes with it, in multiplications of a device whose workgroups are all at work.
    pub fn cost(&self, s: &Sizes, batches: usize, parts: usize, on: &Capabilities) -> f64 {
        let [rows, columns] = self.size();
        let tiles = (self.count(s) * batches) as f64;
        let work = tiles * (rows * columns) as f64 * s.k as f64 / self.rate;
        let idle = (few(on) as f64 / (tiles * parts as f64)).max(1.0);
        let joined = if parts > 1 { DISPATCH + 16.0 * (parts * s.m * s.n * batches) as f64 } else { 0.0 };
        work * idle + joined
    }
}

/// Fewer workgroups than this leave a device idle: K, where it is long, is then split among more of them.
pub(super) fn few(on: &Capabilities) -> usize {
    if on.speed == Speed::SOFTWARE { 4 } else { 128 }
}

/// The tiles that a product is offered. Where there is a choice of direction, the longer side gets more.
pub(super) fn tiles(s: &Sizes) -> [Tile; 5] {
    let turned = |names, [long, short]: [u32; 2], rate| {
        let threads = if s.m >= s.n { [long, short] } else { [short, long] };
        Tile::new(names, threads, [8, 8], rate)
    };
    [
        Tile::new(["tile128", "tile128_split"], [16, 16], [8, 8], 1.0),
        turned(["tile128x64", "tile128x64_split"], [16, 8], 0.95),
        Tile::new(["tile64", "tile64_split"], [8, 8], [8, 8], 0.9),
        turned(["tile128x32", "tile128x32_split"], [16, 4], 0.7),
        Tile::new(["tile32", "tile32_split"], [8, 8], [4, 4], 0.5),
    ]
}
