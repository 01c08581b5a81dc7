//! Where Levenberg–Marquardt starts: the hills of r² over a and b.

use std::f64::consts::{FRAC_PI_2, PI};

use super::{
    super::{
        Function, Samples,
        samples::Set,
        symmetry::{Parity, Symmetry},
    },
    Search,
    correlation::{r2, regress},
    grid::{Grid, Map, spaced},
    refine::refine,
    survey::Hills,
};

/// Hills of the first grid that are tried, and those of them that are refined on all samples.
pub(super) const HILLS: usize = 8;
const REFINED: usize = 2;
/// Periods over the samples up to which a wave is looked for, whatever the search's range of a.
const PERIODS: f64 = 12.0;
/// Steps in which the hills are compared.
const SHORT: usize = 30;

/// Which of a, b, c and d the refinement may move: not what another of them can undo.
pub(super) fn free(symmetry: Symmetry) -> [bool; 4] {
    match symmetry {
        Symmetry::Power { .. } | Symmetry::Logarithm => [false, true, true, true],
        Symmetry::Exponential => [true, false, true, true],
        Symmetry::Zero | Symmetry::Linear => [false, false, true, true],
        Symmetry::None | Symmetry::Mirror(_) | Symmetry::Periodic { .. } => [true; 4],
    }
}

/// Pairs (a, b) in the frame of the samples, the likeliest first; none where f is never finite. The hills of the first
/// grids are looked for here where they are not known.
pub(super) fn starts(
    f: &Function,
    samples: &Samples,
    search: &Search,
    known: Option<Hills>,
) -> Vec<[f64; 2]> {
    if f.symmetry() == Symmetry::Linear {
        return vec![[1.0, 0.0]];
    }
    let grids = grids(f.symmetry(), samples, search);
    let mut hills = known.unwrap_or_else(|| {
        let of_grid = |(g, grid): (usize, &Grid)| {
            grid.hills(f, &samples.coarse, HILLS).into_iter().map(move |hill| (g, hill))
        };
        grids.iter().enumerate().flat_map(of_grid).collect()
    });
    hills.sort_by(|x, y| y.1.r2.total_cmp(&x.1.r2));
    hills.truncate(HILLS);
    let Some(&(g, highest)) = hills.first() else { return level(f, samples, &grids) };

    // Each hill's own top, on few samples.
    let mut tops: Vec<([f64; 2], f64)> = Vec::new();
    for (g, hill) in &hills {
        let [a, b] = grids[*g].at(hill.cell);
        let Some(line) = regress(f, &samples.coarse, a, b) else { continue };
        let steps = SHORT.min(search.steps);
        let top = refine(f, &samples.coarse, [a, b, line.c, line.d], free(f.symmetry()), steps);
        let (at, error) = top.map_or(([a, b], f64::INFINITY), |r| ([r.at[0], r.at[1]], r.error));
        tops.push((at, error));
    }
    tops.sort_by(|x, y| x.1.total_cmp(&y.1));
    let mut starts: Vec<[f64; 2]> = tops.into_iter().take(REFINED).map(|t| t.0).collect();

    // The highest by zooms alone: steps and kinks have no slope to follow.
    let mut grid = grids[g].clone();
    let mut best = (grid.at(highest.cell), highest);
    let set = if matches!(grid.map, Map::Plane { .. }) { &samples.coarse } else { &samples.fine };
    for _ in 1..search.zooms {
        grid = grid.zoomed(best.1.cell);
        let Some(hill) = grid.hills(f, set, 1).first().copied() else { break };
        best = (grid.at(hill.cell), hill);
    }
    starts.push(best.0);
    starts
}

/// A start for an f that explains nothing but is finite: any such a and b.
fn level(f: &Function, samples: &Samples, grids: &[Grid]) -> Vec<[f64; 2]> {
    let mut values = Vec::new();
    for grid in grids {
        for i in 0..grid.p.len() {
            for j in 0..grid.q.len() {
                let [a, b] = grid.at((i, j));
                if r2(f, &samples.fine, a, b, &mut values).is_some() {
                    return vec![[a, b]];
                }
            }
        }
    }
    Vec::new()
}

/// The grids over the frame: that of the search in x, and where x is far from [−1, 1], that of the search in t.
pub(super) fn grids(symmetry: Symmetry, samples: &Samples, search: &Search) -> Vec<Grid> {
    let n = search.grid;
    let many = 4 * n + 1;
    let frame = samples.frame;
    let one_dimensional = |signs: &[f64]| -> Vec<Grid> {
        // Roots everywhere, densest among the samples.
        let roots: Vec<f64> =
            spaced(-FRAC_PI_2, FRAC_PI_2, many + 2)[1..=many].iter().map(|v| v.tan()).collect();
        signs.iter().map(|s| Grid { map: Map::Root, p: vec![*s], q: roots.clone() }).collect()
    };
    let near = (0.5..=2.0).contains(&frame.half) && frame.centre.abs() <= 2.0;
    match symmetry {
        Symmetry::Power { degree, parity: Parity::Even | Parity::Sum(_) } => {
            let mut grids = one_dimensional(&[1.0]);
            if degree < 0.0 {
                grids.push(Grid {
                    map: Map::Root,
                    p: vec![1.0],
                    q: beside_the_highest(&samples.coarse, many),
                });
            }
            grids
        }
        Symmetry::Power { .. } | Symmetry::Logarithm => one_dimensional(&[1.0, -1.0]),
        Symmetry::Exponential => {
            let (low, high) = search.a;
            let mut grids = vec![Grid {
                map: Map::Scale,
                p: vec![0.0],
                q: spaced(low * frame.half, high * frame.half, many),
            }];
            if !near {
                grids.push(Grid { map: Map::Scale, p: vec![0.0], q: spaced(low, high, many) });
            }
            grids
        }
        _ => {
            let parity = match symmetry {
                Symmetry::Mirror(parity) | Symmetry::Periodic { parity, .. } => parity,
                _ => Parity::None,
            };
            let (low, high) = search.a;
            let scales = if parity == Parity::None {
                spaced(low, high, n)
            } else {
                spaced(0.0, low.abs().max(high.abs()), n.div_ceil(2))
            };
            let shifts = match symmetry {
                // One half period, whose end is its start again.
                Symmetry::Periodic { shift, .. } => {
                    let mut shifts = spaced(0.0, shift, n.div_ceil(4) + 1);
                    shifts.pop();
                    shifts
                }
                _ => spaced(search.b.0, search.b.1, n),
            };
            // b of x is b + a centre in t; a periodic function has all its b in one half period anyway.
            let lean =
                if matches!(symmetry, Symmetry::Periodic { .. }) { 0.0 } else { frame.centre / frame.half };
            let in_x = scales.iter().map(|a| a * frame.half).collect();
            let mut grids = vec![Grid { map: Map::Plane { lean }, p: in_x, q: shifts.clone() }];
            if matches!(symmetry, Symmetry::Periodic { .. }) {
                // Beyond half a period between two samples a slower wave has the same values.
                let most = PI * (samples.coarse.t.len() - 1) as f64 / 2.0;
                let fastest = (PI * PERIODS).max(low.abs().max(high.abs())).min(most);
                let scales = spaced(0.0, fastest, scales.len());
                grids.push(Grid { map: Map::Plane { lean: 0.0 }, p: scales, q: shifts });
            } else if !near {
                grids.push(Grid { map: Map::Plane { lean: 0.0 }, p: scales, q: shifts });
            }
            grids
        }
    }
}

/// Roots between the neighbours of the sample where |y| is largest: there a pole is, and grids may step over it.
fn beside_the_highest(set: &Set, n: usize) -> Vec<f64> {
    let (mut highest, mut size) = (0, -1.0);
    for (k, y) in set.centred.iter().enumerate() {
        if y.abs() > size {
            (highest, size) = (k, y.abs());
        }
    }
    let last = set.t.len() - 1;
    let beyond = set.t[highest] + (set.t[highest] - set.t[highest.saturating_sub(1)]);
    let before = set.t[highest] - (set.t[(highest + 1).min(last)] - set.t[highest]);
    let low = if highest > 0 { set.t[highest - 1] } else { before };
    let high = if highest < last { set.t[highest + 1] } else { beyond };
    // Not on the samples themselves.
    let step = (high - low) / n as f64;
    (0..n).map(|k| low + step * (k as f64 + 0.5)).collect()
}
