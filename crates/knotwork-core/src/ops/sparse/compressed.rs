//! A pattern as it lies in memory, checked without a copy of it; and its entries in the order of their columns.

use std::ops::Range;

use super::pattern::Pattern;
use crate::cpu::CpuInput;

/// Compressed sparse rows that hold what they must: rows begin at 0, do not fall and end with the entries; columns lie
/// inside.
#[derive(Clone, Copy, Debug)]
pub(super) struct Compressed<'a> {
    /// Where each row begins among the entries, and the end of the last.
    pub starts: &'a [u32],
    /// The column of each entry.
    pub columns: &'a [u32],
}

impl<'a> Compressed<'a> {
    /// `None` where an input cannot be read as it lies.
    pub fn new(indptr: &CpuInput<'a>, indices: &CpuInput<'a>, bound: usize) -> Result<Option<Self>, String> {
        let (Some(starts), Some(columns)) = (indptr.words(), indices.words()) else { return Ok(None) };
        // Negative numbers are beyond every bound.
        let limit = u32::try_from(bound).map_or(i32::MAX as u32, |n| n.min(i32::MAX as u32));
        let rises = starts.windows(2).fold(true, |yes, pair| yes & (pair[0] <= pair[1]));
        let whole = starts.first() == Some(&0) && starts.last().map(|&n| n as usize) == Some(columns.len());
        let inside = columns.iter().fold(true, |yes, &c| yes & (c < limit));
        if rises && whole && inside {
            return Ok(Some(Self { starts, columns }));
        }
        // Says what is wrong and where; what it lets pass is beyond what is read as it lies.
        let (Some(indptr), Some(indices)) = (indptr.indices(), indices.indices()) else { return Ok(None) };
        Pattern::new(&indptr, indices, bound).map(|_| None)
    }

    /// Pairs (entry, row) in the order of columns, rows in order within each; and where each column begins.
    pub fn by_column(&self, bound: usize) -> (Vec<u32>, Vec<[u32; 2]>) {
        let mut starts = vec![0u32; bound + 2];
        for &c in self.columns {
            starts[c as usize + 2] += 1;
        }
        for c in 2..starts.len() {
            starts[c] += starts[c - 1];
        }
        let mut order = vec![[0; 2]; self.columns.len()];
        for (row, bounds) in self.starts.windows(2).enumerate() {
            for k in bounds[0]..bounds[1] {
                // One behind: what is counted up here begins the next column in the end.
                let place = &mut starts[self.columns[k as usize] as usize + 1];
                order[*place as usize] = [k, row as u32];
                *place += 1;
            }
        }
        starts.truncate(bound + 1);
        (starts, order)
    }
}

/// Ranges of rows with about as many entries each, at most so many ranges; a row counts as an entry.
pub(super) fn pieces(starts: &[u32], most: usize) -> Vec<Range<usize>> {
    let rows = starts.len().saturating_sub(1);
    let work = |row: usize| starts[row] as usize + row;
    let all = work(rows);
    let mut first = 0;
    (1..=most)
        .filter_map(|piece| {
            let target = all * piece / most;
            let mut range = first..rows;
            // The first row whose beginning lies at the target or behind it.
            let (mut low, mut high) = (range.start, rows);
            while low < high {
                let middle = (low + high) / 2;
                if work(middle) < target { low = middle + 1 } else { high = middle }
            }
            range.end = low;
            first = low;
            (!range.is_empty()).then_some(range)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_cover_all_rows_once() {
        for (starts, most) in [
            (vec![0, 0, 5, 5, 1000, 1001, 1001], 4),
            (vec![0, 3], 8),
            (vec![0; 9], 3),
            (vec![0, 7, 9, 30], 1),
        ] {
            let all: Vec<usize> = pieces(&starts, most).into_iter().flatten().collect();
            assert_eq!(all, (0..starts.len() - 1).collect::<Vec<_>>(), "{starts:?}");
            assert!(pieces(&starts, most).len() <= most);
        }
        assert!(pieces(&[0], 4).is_empty());
    }

    #[test]
    fn columns_keep_the_order_of_rows() {
        let of = Compressed { starts: &[0, 2, 2, 5], columns: &[3, 0, 0, 3, 0] };
        let (starts, order) = of.by_column(4);
        assert_eq!(starts, [0, 3, 3, 3, 5]);
        assert_eq!(order, [[1, 0], [2, 2], [4, 2], [0, 0], [3, 2]]);
    }
}
