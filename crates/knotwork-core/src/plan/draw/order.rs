//! The order within each layer: medians of neighbours, down and up in turn, keeping the order with fewest crossings.

use super::layers::{Layers, parts};

/// Sweeps; more change little.
const SWEEPS: usize = 12;

/// Reorders the rows so that few links cross.
pub(super) fn order(layers: &mut Layers) {
    let n = layers.items.len();
    let mut above = vec![Vec::new(); n];
    let mut below = vec![Vec::new(); n];
    for &(upper, lower) in &layers.links {
        above[lower].push(upper);
        below[upper].push(lower);
    }
    // Connected parts stand side by side, so that they can be moved together in the end.
    let part = parts(n, &layers.links);
    layers.rows.iter_mut().for_each(|row| row.sort_by_key(|&item| part[item]));
    let mut best = layers.rows.clone();
    let mut fewest = crossings(&layers.rows, &below, n);
    for sweep in 0..SWEEPS {
        if fewest == 0 {
            break;
        }
        let down = sweep % 2 == 0;
        let mut position = positions(&layers.rows, n);
        let count = layers.rows.len();
        for step in 1..count {
            let (row, near) = if down { (step, &above) } else { (count - 1 - step, &below) };
            // Items without neighbours there keep their place: a stable sort by the median, else by where they are.
            let mut keyed: Vec<(f64, usize)> = layers.rows[row]
                .iter()
                .map(|&item| (median(&near[item], &position).unwrap_or(position[item] as f64), item))
                .collect();
            keyed.sort_by(|a, b| part[a.1].cmp(&part[b.1]).then(a.0.total_cmp(&b.0)));
            layers.rows[row] = keyed.into_iter().map(|(_, item)| item).collect();
            layers.rows[row].iter().enumerate().for_each(|(p, &item)| position[item] = p);
        }
        let now = crossings(&layers.rows, &below, n);
        if now < fewest {
            fewest = now;
            best.clone_from(&layers.rows);
        }
    }
    layers.rows = best;
}

fn positions(rows: &[Vec<usize>], n: usize) -> Vec<usize> {
    let mut position = vec![0; n];
    rows.iter().for_each(|row| row.iter().enumerate().for_each(|(p, &item)| position[item] = p));
    position
}

/// The median of the neighbours' positions; between the middle two, the mean.
fn median(near: &[usize], position: &[usize]) -> Option<f64> {
    let mut at: Vec<usize> = near.iter().map(|&i| position[i]).collect();
    at.sort_unstable();
    let (low, high) = (at.get(at.len().wrapping_sub(1) / 2)?, at.get(at.len() / 2)?);
    Some((low + high) as f64 / 2.0)
}

/// Pairs of links between neighbouring rows that cross: inversions, counted with a binary indexed tree.
fn crossings(rows: &[Vec<usize>], below: &[Vec<usize>], n: usize) -> usize {
    let position = positions(rows, n);
    let mut total = 0;
    for pair in rows.windows(2) {
        let mut tree = vec![0usize; pair[1].len() + 1];
        let mut seen = 0;
        for &upper in &pair[0] {
            let mut ends: Vec<usize> = below[upper].iter().map(|&l| position[l]).collect();
            ends.sort_unstable();
            for &end in &ends {
                let (mut i, mut not_right) = (end + 1, 0);
                while i > 0 {
                    not_right += tree[i];
                    i &= i - 1;
                }
                total += seen - not_right;
            }
            for end in ends {
                let mut i = end + 1;
                while i < tree.len() {
                    tree[i] += 1;
                    i += i & i.wrapping_neg();
                }
                seen += 1;
            }
        }
    }
    total
}

#[cfg(test)]
mod tests {
    use super::{super::layers::Item, *};

    fn two_rows(links: &[(usize, usize)]) -> Layers {
        Layers {
            items: (0..6).map(Item::Box).collect(),
            layer: vec![0, 0, 0, 1, 1, 1],
            rows: vec![vec![0, 1, 2], vec![3, 4, 5]],
            links: links.to_vec(),
            paths: Vec::new(),
            cut: Vec::new(),
        }
    }

    fn count(l: &Layers) -> usize {
        let mut below = vec![Vec::new(); 6];
        l.links.iter().for_each(|&(u, d)| below[u].push(d));
        crossings(&l.rows, &below, 6)
    }

    #[test]
    fn crossings_are_inversions() {
        assert_eq!(count(&two_rows(&[(0, 3), (1, 4), (2, 5)])), 0);
        assert_eq!(count(&two_rows(&[(0, 5), (1, 4), (2, 3)])), 3);
        assert_eq!(count(&two_rows(&[(0, 4), (0, 5), (1, 3), (1, 5), (2, 4)])), 4);
    }

    #[test]
    fn what_can_be_untangled_is() {
        let mut l = two_rows(&[(0, 5), (1, 4), (2, 3)]);
        order(&mut l);
        assert_eq!(count(&l), 0);
    }
}
