//! Rows that are shorter than a vector, made as long as one: a layer of few outputs then takes the path of wide ones.

use std::ops::{Deref, DerefMut};

/// Rows of a layer from which on the copies of its coefficients pay.
pub(super) const ROWS: usize = 16;
/// f32 of a cache line: a vector across two of them costs two loads.
const LINE: usize = 16;

/// Rows in memory of their own, from a cache line on.
#[derive(Debug)]
pub(super) struct Long {
    memory: Vec<f32>,
    first: usize,
    /// Elements of a row.
    to: usize,
}

impl Long {
    /// So many rows of zeros.
    pub fn zeros(rows: usize, to: usize) -> Self {
        let memory = vec![0.0; rows * to + LINE];
        let first = memory.as_ptr().align_offset(4 * LINE);
        Self { memory, first, to }
    }

    /// Rows of `from` elements, zeros behind each.
    pub fn of(rows: &[f32], from: usize, to: usize) -> Self {
        let mut long = Self::zeros(rows.len() / from, to);
        for (long, row) in long.chunks_exact_mut(to).zip(rows.chunks_exact(from)) {
            copy(row, long);
        }
        long
    }

    /// Writes the first `from` elements of each row.
    pub fn shorten(&self, rows: &mut [f32], from: usize) {
        for (row, long) in rows.chunks_exact_mut(from).zip(self.chunks_exact(self.to)) {
            copy(long, row);
        }
    }
}

/// As much as both have. A call to copy so few elements would take longer than the copy.
#[inline(always)]
fn copy(from: &[f32], to: &mut [f32]) {
    from.iter().zip(to).for_each(|(from, to)| *to = *from);
}

impl Deref for Long {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.memory[self.first..self.memory.len() - LINE + self.first]
    }
}

impl DerefMut for Long {
    fn deref_mut(&mut self) -> &mut [f32] {
        let end = self.memory.len() - LINE + self.first;
        &mut self.memory[self.first..end]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back() {
        let long = Long::of(&[1.0, 2.0, 3.0, 4.0], 2, 4);
        assert_eq!(long[..], [1.0, 2.0, 0.0, 0.0, 3.0, 4.0, 0.0, 0.0]);
        assert_eq!(long.as_ptr() as usize % 64, 0);
        let mut back = [0.0; 4];
        long.shorten(&mut back, 2);
        assert_eq!(back, [1.0, 2.0, 3.0, 4.0]);
    }
}
