//! Positions from left to right: each row as near to its neighbours as the distances within the row allow.

use super::layers::{Item, Layers, parts};

/// Sweeps down and up in turn; each solves its rows exactly, given the others.
const SWEEPS: usize = 48;

/// The centre of each item, for their widths and the gap between two of them.
pub(super) fn place(layers: &Layers, widths: &[f64], gap: f64) -> Vec<f64> {
    let n = layers.items.len();
    let mut above = vec![Vec::new(); n];
    let mut below = vec![Vec::new(); n];
    for &(upper, lower) in &layers.links {
        above[lower].push(upper);
        below[upper].push(lower);
    }
    let mut x = vec![0.0; n];
    for row in &layers.rows {
        let mut at = 0.0;
        for &item in row {
            x[item] = at + widths[item] / 2.0;
            at += widths[item] + gap;
        }
        let middle = (at - gap) / 2.0;
        row.iter().for_each(|&item| x[item] -= middle);
    }
    // Links between bends pull hard, so that long arrows become straight; the texts of stubs hardly.
    let pull = |a: usize, b: usize| -> f64 {
        match (layers.items[a], layers.items[b]) {
            (Item::Stub(..), _) | (_, Item::Stub(..)) => 0.2,
            (Item::Bend(_), Item::Bend(_)) => 6.0,
            (Item::Box(_), Item::Box(_)) => 1.5,
            _ => 1.0,
        }
    };
    for sweep in 0..SWEEPS {
        let rows: Vec<usize> = match sweep % 2 {
            0 => (0..layers.rows.len()).collect(),
            _ => (0..layers.rows.len()).rev().collect(),
        };
        for r in rows {
            let row = &layers.rows[r];
            let mut wanted = Vec::with_capacity(row.len());
            for &item in row {
                // First from above alone, then from both sides.
                let lower: &[usize] = if sweep == 0 { &[] } else { &below[item] };
                let (mut sum, mut weight) = (0.0, 0.0);
                for &other in above[item].iter().chain(lower) {
                    sum += x[other] * pull(item, other);
                    weight += pull(item, other);
                }
                wanted.push(if weight > 0.0 { (sum / weight, weight) } else { (x[item], 0.01) });
            }
            let distances: Vec<f64> =
                row.windows(2).map(|w| (widths[w[0]] + widths[w[1]]) / 2.0 + gap).collect();
            for (&item, at) in row.iter().zip(nearest(&wanted, &distances)) {
                x[item] = at;
            }
        }
    }
    join(layers, widths, gap, &mut x);
    let left = (0..n).map(|i| x[i] - widths[i] / 2.0).fold(f64::INFINITY, f64::min);
    x.iter_mut().for_each(|x| *x -= left);
    x
}

/// Moves each connected part to the left as far as those before it allow.
fn join(layers: &Layers, widths: &[f64], gap: f64, x: &mut [f64]) {
    let part = parts(x.len(), &layers.links);
    let mut order: Vec<usize> = part.clone();
    order.sort_unstable();
    order.dedup();
    let mut edge: Vec<Option<f64>> = vec![None; layers.rows.len()];
    for p in order {
        let mut shift = f64::NEG_INFINITY;
        for (row, edge) in layers.rows.iter().zip(&edge) {
            let first = row.iter().find(|&&i| part[i] == p);
            if let (Some(&first), Some(edge)) = (first, edge) {
                shift = shift.max(edge + 2.0 * gap - (x[first] - widths[first] / 2.0));
            }
        }
        let shift = if shift.is_finite() { shift } else { 0.0 };
        for (row, edge) in layers.rows.iter().zip(&mut edge) {
            for &item in row.iter().filter(|&&i| part[i] == p) {
                x[item] += shift;
                let right = x[item] + widths[item] / 2.0;
                *edge = Some(edge.map_or(right, |e: f64| e.max(right)));
            }
        }
    }
}

/// Positions in the given order, at least these distances apart, with the least weighted squares of what they miss of
/// the wanted (position, weight): isotonic regression by pooling neighbours that are too near.
fn nearest(wanted: &[(f64, f64)], distances: &[f64]) -> Vec<f64> {
    let mut shift = Vec::with_capacity(wanted.len());
    let mut sum = 0.0;
    for k in 0..wanted.len() {
        sum += if k == 0 { 0.0 } else { distances[k - 1] };
        shift.push(sum);
    }
    // Pools: (mean, weight, number of items).
    let mut pools: Vec<(f64, f64, usize)> = Vec::new();
    for (&(want, weight), shift) in wanted.iter().zip(&shift) {
        let mut pool = (want - shift, weight, 1);
        while let Some(&(mean, w, count)) = pools.last() {
            if mean <= pool.0 {
                break;
            }
            pools.pop();
            pool = ((mean * w + pool.0 * pool.1) / (w + pool.1), w + pool.1, count + pool.2);
        }
        pools.push(pool);
    }
    let means = pools.into_iter().flat_map(|(mean, _, count)| std::iter::repeat_n(mean, count));
    means.zip(shift).map(|(mean, shift)| mean + shift).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use pretty_assertions::assert_eq;

    #[test]
    fn items_that_want_one_place_share_it_evenly() {
        assert_eq!(nearest(&[(10.0, 1.0), (10.0, 1.0), (10.0, 1.0)], &[4.0, 4.0]), [6.0, 10.0, 14.0]);
        assert_eq!(nearest(&[(0.0, 1.0), (10.0, 1.0)], &[4.0]), [0.0, 10.0]);
        assert_eq!(nearest(&[(4.0, 3.0), (0.0, 1.0)], &[4.0]), [2.0, 6.0]);
        assert_eq!(nearest(&[], &[]), [0.0; 0]);
    }
}
