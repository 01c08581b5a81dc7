//! The tiles of the implicit product, and which of them suits a convolution.

use crate::plan::{Capabilities, Speed};

/// Multiplications with additions that a second dispatch costs, about, on hardware.
const DISPATCH: f64 = 1e7;

/// Sizes of the products that a convolution is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Product {
    /// Channels that a group makes.
    pub m: usize,
    /// Columns and depth of one product.
    pub n: usize,
    pub k: usize,
    /// How many products there are.
    pub count: usize,
}

/// One tile size of `conv2d/tiled`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tile {
    /// The variant.
    pub name: &'static str,
    /// The variant that splits k.
    pub split: &'static str,
    /// Threads down and across.
    pub threads: [u32; 2],
    /// Rows and columns of a thread: 4 or 8.
    pub each: [u32; 2],
    /// The share of a device's rate that a full tile reaches, relative to the others: by what a multiplication costs of
    /// loads from workgroup memory and of gathering.
    rate: f64,
}

impl Tile {
    const fn new([name, split]: [&'static str; 2], threads: [u32; 2], each: [u32; 2], rate: f64) -> Self {
        Self { name, split, threads, each, rate }
    }

    /// Rows and columns.
    pub fn size(&self) -> [usize; 2] {
        [0, 1].map(|d| (self.threads[d] * self.each[d]) as usize)
    }

    /// How many of them cover all products.
    pub fn groups(&self, p: &Product) -> usize {
        let [rows, columns] = self.size();
        p.m.div_ceil(rows) * p.n.div_ceil(columns) * p.count
    }

    /// About how long all products take, in multiplications of a device whose workgroups are all at work.
    pub fn cost(&self, p: &Product, parts: usize, few: usize) -> f64 {
        let [rows, columns] = self.size();
        let tiles = self.groups(p) as f64;
        let work = tiles * (rows * columns) as f64 * p.k as f64 / self.rate;
        let idle = (few as f64 / (tiles * parts as f64)).max(1.0);
        let joined = if parts > 1 { DISPATCH + 16.0 * (parts * p.m * p.n * p.count) as f64 } else { 0.0 };
        work * idle + joined
    }
}

/// Fewer workgroups than this leave a device idle: k, where it is long, is then split among more of them.
pub(super) fn few(on: &Capabilities) -> usize {
    if on.speed == Speed::SOFTWARE { 4 } else { 128 }
}

/// The tiles that a convolution is offered: square ones, wide ones for few channels, tall ones for few columns.
pub(super) fn tiles(p: &Product) -> [Tile; 5] {
    let threads = if p.m > p.n { [16, 8] } else { [8, 16] };
    [
        Tile::new(["tile128x64", "tile128x64_split"], threads, [8, 8], 1.0),
        Tile::new(["tile64", "tile64_split"], [8, 8], [8, 8], 0.9),
        Tile::new(["tile32x128", "tile32x128_split"], [4, 16], [8, 8], 0.8),
        Tile::new(["tile16x128", "tile16x128_split"], [2, 32], [8, 4], 0.6),
        Tile::new(["tile32", "tile32_split"], [8, 8], [4, 4], 0.5),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn best(m: usize, n: usize, k: usize) -> &'static str {
        let p = Product { m, n, k, count: 1 };
        let all = tiles(&p);
        all.iter().min_by(|a, b| a.cost(&p, 1, 128).total_cmp(&b.cost(&p, 1, 128))).map_or("", |t| t.name)
    }

    #[test]
    fn tiles_follow_the_shape() {
        assert_eq!(best(256, 100_000, 576), "tile128x64");
        assert_eq!(best(64, 100_000, 576), "tile128x64");
        assert_eq!(best(32, 100_000, 27), "tile32x128");
        assert_eq!(best(16, 100_000, 27), "tile16x128");
        // Few outputs: small tiles keep more of the device busy.
        assert_eq!(best(64, 49, 576), "tile32");
    }

    #[test]
    fn every_tile_fits_the_kernel_and_the_portable_floor() {
        for p in [Product { m: 9, n: 2, k: 1, count: 1 }, Product { m: 2, n: 9, k: 1, count: 1 }] {
            for tile in tiles(&p) {
                let (threads, [rows, columns]) = (tile.threads[0] * tile.threads[1], tile.size());
                // One block of a a thread, two of b, these of the same columns.
                let blocks = |side: usize| side / 4 * 4;
                assert!(threads <= 256 && blocks(rows) <= threads as usize, "{tile:?}");
                assert!(blocks(columns) <= 2 * threads as usize, "{tile:?}");
                assert_eq!(threads as usize % (columns / 4), 0, "{tile:?}");
                assert!((rows + columns) * 16 * 4 + 16 * 16 <= 16 << 10, "{tile:?}");
            }
        }
    }
}
