//! Rows of a few elements: each element's place is the number of those before it, which vectors count without a branch.

use super::{super::elementwise::vectorised, order::Key};

/// The longest row that is sorted so; a longer one has more to count than a sort has to compare.
pub(super) const LONGEST: usize = 16;

/// The first `kept` of rows of `n` in order, by keys that `flip` turns round for a descending one.
pub(super) fn sort<T: Key>(x: &[T], n: usize, kept: usize, flip: u32, values: &mut [T], indices: &mut [i32]) {
    let rows = x.chunks_exact(n).zip(values.chunks_exact_mut(kept).zip(indices.chunks_exact_mut(kept)));
    vectorised(
        #[inline(always)]
        || {
            for (x, (values, indices)) in rows {
                let order = if n <= 8 { ranked::<T, 8>(x, flip) } else { ranked::<T, LONGEST>(x, flip) };
                for ((value, index), &place) in values.iter_mut().zip(indices).zip(&order) {
                    *value = x[usize::from(place)];
                    *index = place.into();
                }
            }
        },
    );
}

/// The places of a row's elements in order.
#[inline(always)]
fn ranked<T: Key, const N: usize>(x: &[T], flip: u32) -> [u8; LONGEST] {
    // Beyond the row lies what comes last.
    let mut keys = [u32::MAX; N];
    keys.iter_mut().zip(x).for_each(|(key, x)| *key = x.key() ^ flip);
    let mut ranks = [0u32; N];
    for (j, &other) in keys.iter().enumerate().take(x.len()) {
        for (i, (rank, &key)) in ranks.iter_mut().zip(&keys).enumerate() {
            *rank += u32::from(other < key) | u32::from((other == key) & (j < i));
        }
    }
    let mut order = [0; LONGEST];
    for (i, &rank) in ranks.iter().enumerate().take(x.len()) {
        order[rank as usize % LONGEST] = i as u8;
    }
    order
}
