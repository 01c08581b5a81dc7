//! Pairs of long rows, sorted by digits of their keys; by several threads in parts, which are merged.

/// Bits of a digit, and its values.
const BITS: u32 = 8;
const VALUES: usize = 1 << BITS;
/// Digits of a key.
const DIGITS: usize = (u32::BITS / BITS) as usize;
/// Parts are no shorter.
const PART: usize = 1 << 15;

/// Sorts pairs of a key (above) and a position (below), which are in the order of their positions; `other` is as long.
pub(super) fn sort(pairs: &mut [u64], other: &mut [u64], threads: usize) {
    into(pairs, other, threads, false);
}

/// Sorts `pairs`, in its own memory or into the other.
fn into(pairs: &mut [u64], other: &mut [u64], threads: usize, moved: bool) {
    if threads < 2 || pairs.len() < 2 * PART {
        let there = by_digits(pairs, other);
        match (there, moved) {
            (true, false) => pairs.copy_from_slice(other),
            (false, true) => other.copy_from_slice(pairs),
            _ => {}
        }
        return;
    }
    let middle = pairs.len() / 2;
    let few = threads / 2;
    {
        let (a, b) = pairs.split_at_mut(middle);
        let (c, d) = other.split_at_mut(middle);
        rayon::join(|| into(a, c, few, !moved), || into(b, d, threads - few, !moved));
    }
    let (from, to) = if moved { (&*pairs, other) } else { (&*other, pairs) };
    let (a, b) = from.split_at(middle);
    merge(a, b, to, threads);
}

/// Sorts by one digit after the other, the lowest first; whether the result lies in `other`.
fn by_digits(pairs: &mut [u64], other: &mut [u64]) -> bool {
    let digit = |pair: u64, d: usize| (pair >> (32 + d as u32 * BITS)) as usize & (VALUES - 1);
    let mut counts = [[0usize; VALUES]; DIGITS];
    for &pair in &*pairs {
        for (d, counts) in counts.iter_mut().enumerate() {
            counts[digit(pair, d)] += 1;
        }
    }
    let (mut from, mut to) = (pairs, other);
    let mut moved = false;
    for (d, counts) in counts.iter_mut().enumerate() {
        if counts.contains(&from.len()) {
            // All have the same digit.
            continue;
        }
        let mut place = 0;
        for count in counts.iter_mut() {
            place += std::mem::replace(count, place);
        }
        for &pair in &*from {
            let place = &mut counts[digit(pair, d)];
            to[*place] = pair;
            *place += 1;
        }
        std::mem::swap(&mut from, &mut to);
        moved = !moved;
    }
    moved
}

/// Two sorted runs as one, each thread making a part of it.
fn merge(a: &[u64], b: &[u64], to: &mut [u64], threads: usize) {
    if threads < 2 || to.len() < 2 * PART {
        return both_ends(a, b, to);
    }
    let half = to.len() / 2;
    let i = taken(a, b, half);
    let (low, high) = to.split_at_mut(half);
    let few = threads / 2;
    rayon::join(
        || merge(&a[..i], &b[..half - i], low, few),
        || merge(&a[i..], &b[half - i..], high, threads - few),
    );
}

/// Two sorted runs as one, from both ends at once: neither end waits for what the other compares. No two pairs are equal.
fn both_ends(a: &[u64], b: &[u64], to: &mut [u64]) {
    let (front, back) = to.split_at_mut(to.len() / 2);
    let (mut i, mut j) = (0, 0);
    let (mut p, mut q) = (a.len(), b.len());
    let mut put_last = |last: &mut u64| {
        let x = p.checked_sub(1).map_or(0, |p| a[p]);
        let y = q.checked_sub(1).map_or(0, |q| b[q]);
        let first = x > y || q == 0;
        *last = if first { x } else { y };
        p -= usize::from(first);
        q -= usize::from(!first);
    };
    let mut rest = back.iter_mut().rev();
    for (next, last) in front.iter_mut().zip(&mut rest) {
        // No position is all ones, so no pair is.
        let x = a.get(i).copied().unwrap_or(u64::MAX);
        let y = b.get(j).copied().unwrap_or(u64::MAX);
        let first = x < y;
        *next = if first { x } else { y };
        i += usize::from(first);
        j += usize::from(!first);
        put_last(last);
    }
    // The back is the longer one by one where their number is odd.
    rest.for_each(put_last);
}

/// How many of the first run are among the first `d` of both.
fn taken(a: &[u64], b: &[u64], d: usize) -> usize {
    let (mut low, mut high) = (d.saturating_sub(b.len()), d.min(a.len()));
    while low < high {
        let middle = (low + high) / 2;
        if a[middle] <= b[d - 1 - middle] {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pairs with keys of a stream, in the order of their positions.
    fn pairs(n: u64, key: impl Fn(u64) -> u64) -> Vec<u64> {
        (0..n).map(|k| (key(k) & 0xFFFF_FFFF) << 32 | k).collect()
    }

    #[test]
    fn rows_are_sorted_by_any_number_of_threads() {
        let hash = |k: u64| k.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 29;
        let n = 3 * PART as u64 + 77;
        for row in [
            pairs(1, hash),
            pairs(1000, hash),
            pairs(n, hash),
            pairs(n, |k| n - k),
            pairs(n, |_| 5),
            pairs(n, |k| (k % 3) << 20),
        ] {
            let mut want = row.clone();
            want.sort_unstable();
            for threads in 1..5 {
                let (mut got, mut other) = (row.clone(), vec![0; row.len()]);
                sort(&mut got, &mut other, threads);
                assert!(got == want, "{} pairs, {threads} threads", row.len());
            }
        }
    }
}
