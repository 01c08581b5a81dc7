//! Grids of (a, b) and their hills.

use rayon::prelude::*;

use super::{
    super::{Function, samples::Set},
    correlation::r2,
};

/// How many times finer a zoom is than the grid before it: steps do the rest.
const FINER: usize = 12;

/// What the two numbers of a grid mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Map {
    /// (a, b − lean · a).
    Plane {
        /// How much the grid leans.
        lean: f64,
    },
    /// (sign, root): a = sign, b = −sign · root, so that the argument is 0 at t = root.
    Root,
    /// (0, a), and b = 0.
    Scale,
}

/// A grid: every pair of one of `p` and one of `q`.
#[derive(Clone, Debug)]
pub(super) struct Grid {
    pub map: Map,
    pub p: Vec<f64>,
    pub q: Vec<f64>,
}

/// A point of a grid that no neighbour exceeds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hill {
    pub r2: f64,
    pub cell: (usize, usize),
}

/// So many values from low to high.
pub(super) fn spaced(low: f64, high: f64, n: usize) -> Vec<f64> {
    let last = n.saturating_sub(1).max(1) as f64;
    (0..n).map(|i| low + (high - low) * (i as f64 / last)).collect()
}

impl Grid {
    /// a and b at a cell.
    pub fn at(&self, (i, j): (usize, usize)) -> [f64; 2] {
        let (p, q) = (self.p[i], self.q[j]);
        match self.map {
            Map::Plane { lean } => [p, q + lean * p],
            Map::Root => [p, -p * q],
            Map::Scale => [q, 0.0],
        }
    }

    /// The hills, highest first, at most so many.
    pub fn hills(&self, f: &Function, set: &Set, most: usize) -> Vec<Hill> {
        let rows: Vec<Vec<f64>> = (0..self.p.len())
            .into_par_iter()
            .map_init(Vec::new, |values, i| {
                let cell = |j: usize| {
                    let [a, b] = self.at((i, j));
                    r2(f, set, a, b, values).unwrap_or(-1.0)
                };
                (0..self.q.len()).map(cell).collect()
            })
            .collect();
        let mut hills = Vec::new();
        for (i, row) in rows.iter().enumerate() {
            for (j, &r2) in row.iter().enumerate() {
                let around =
                    |r: usize, c: usize| rows.get(r).and_then(|row| row.get(c)).copied().unwrap_or(-1.0);
                // On a level stretch the first cell is the hill.
                let before = [(-1, -1), (-1, 0), (-1, 1), (0, -1)];
                let near = |(di, dj): (i32, i32)| {
                    around(i.wrapping_add_signed(di as isize), j.wrapping_add_signed(dj as isize))
                };
                let is_hill = before.iter().all(|&o| r2 > near(o))
                    && before.iter().all(|&(di, dj)| r2 >= near((-di, -dj)));
                if r2 > 0.0 && is_hill {
                    hills.push(Hill { r2, cell: (i, j) });
                }
            }
        }
        hills.sort_by(|x, y| y.r2.total_cmp(&x.r2));
        hills.truncate(most);
        hills
    }

    /// The cells around one, divided anew: by [`FINER`] in a plane, by 50 on a line.
    pub fn zoomed(&self, (i, j): (usize, usize)) -> Self {
        let n = if matches!(self.map, Map::Plane { .. }) { 2 * FINER + 1 } else { 101 };
        let around = |v: &[f64], k: usize| {
            if v.len() == 1 {
                v.to_vec()
            } else {
                spaced(v[k.saturating_sub(1)], v[(k + 1).min(v.len() - 1)], n)
            }
        };
        Self { map: self.map, p: around(&self.p, i), q: around(&self.q, j) }
    }
}
