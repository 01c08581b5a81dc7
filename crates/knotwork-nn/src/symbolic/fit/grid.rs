//! Grids of (a, b) and their hills.

use rayon::prelude::*;

use super::{
    super::{Function, samples::Set},
    correlation::r2,
};

/// How many times finer a zoom is than the grid before it: steps do the rest.
const FINER: usize = 12;

/// r² nearer than this is level: its differences are rounding.
pub(super) const GRAIN: f64 = 1e-12;

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
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in super::super) struct Hill {
    pub r2: f64,
    pub cell: (usize, usize),
}

/// So many values from low to high.
pub(super) fn spaced(low: f64, high: f64, n: usize) -> Vec<f64> {
    let last = n.saturating_sub(1).max(1) as f64;
    (0..n).map(|i| low + (high - low) * (i as f64 / last)).collect()
}

impl Grid {
    /// How many cells there are.
    pub fn cells(&self) -> usize {
        self.p.len() * self.q.len()
    }

    /// The k-th cell, row by row.
    pub fn place(&self, k: usize) -> (usize, usize) {
        (k / self.q.len(), k % self.q.len())
    }

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
        hills_among(&self.rows(f, set), most, GRAIN)
    }

    /// r² at all cells, row by row: −1 where f is not finite.
    pub fn rows(&self, f: &Function, set: &Set) -> Vec<Vec<f64>> {
        (0..self.p.len())
            .into_par_iter()
            .map_init(Vec::new, |values, i| {
                let cell = |j: usize| {
                    let [a, b] = self.at((i, j));
                    r2(f, set, a, b, values).unwrap_or(-1.0)
                };
                (0..self.q.len()).map(cell).collect()
            })
            .collect()
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

/// The hills of a map of r² by rows, −1 where f is not finite: highest first, at most so many. Values nearer than `grain`
/// count as equal; on a level stretch the first cell is the hill.
pub(super) fn hills_among(rows: &[Vec<f64>], most: usize, grain: f64) -> Vec<Hill> {
    let steps: Vec<Vec<f64>> =
        rows.iter().map(|row| row.iter().map(|r2| (r2 / grain).round()).collect()).collect();
    let around = |i: usize, j: usize, (di, dj): (isize, isize)| {
        let row = steps.get(i.wrapping_add_signed(di));
        row.and_then(|row| row.get(j.wrapping_add_signed(dj))).copied().unwrap_or(f64::NEG_INFINITY)
    };
    let before = [(-1, -1), (-1, 0), (-1, 1), (0, -1)];
    let mut hills = Vec::new();
    for (i, row) in steps.iter().enumerate() {
        for (j, &step) in row.iter().enumerate() {
            let is_hill = before.iter().all(|&o| step > around(i, j, o))
                && before.iter().all(|&(di, dj)| step >= around(i, j, (-di, -dj)));
            if step > 0.0 && is_hill {
                hills.push(Hill { r2: rows[i][j], cell: (i, j) });
            }
        }
    }
    hills.sort_by(|x, y| y.r2.total_cmp(&x.r2));
    hills.truncate(most);
    hills
}

/// Whether a cell is the hill, of two that touch: the higher, of level ones the first.
pub(super) fn precedes(one: &Hill, other: &Hill) -> bool {
    let step = |hill: &Hill| (hill.r2 / GRAIN).round();
    step(one) > step(other) || (step(one) == step(other) && one.cell < other.cell)
}
