//! Two pieces of work over the same elements, each with an order and a shape of its own.

use crate::tensor::Layout;

/// How a reader walks a value that its writer made row-major: dimensions in another order, and a factorisation of both
/// shapes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Match {
    /// The reader's dimensions, without those of size 1, in the order of memory.
    order: Vec<usize>,
    /// What each of the reader's dimensions is split into.
    factors: Vec<Vec<usize>>,
    /// The reader's shape without dimensions of size 1.
    squeezed: Vec<usize>,
}

impl Match {
    /// Where `read` shows every element of a row-major value of the shape `written` exactly once, and the shapes have a
    /// common factorisation.
    pub fn new(written: &[usize], read: &Layout) -> Option<Self> {
        let count: usize = written.iter().product();
        if read.count() != count || count == 0 || read.offset() != 0 {
            return None;
        }
        let dims: Vec<(usize, usize)> = read
            .shape()
            .iter()
            .copied()
            .zip(read.strides().iter().copied())
            .filter(|&(n, _)| n != 1)
            .collect();
        let mut order: Vec<usize> = (0..dims.len()).collect();
        order.sort_by_key(|&d| std::cmp::Reverse(dims[d].1));
        let mut expected = 1;
        for &d in order.iter().rev() {
            if dims[d].1 != expected {
                return None;
            }
            expected *= dims[d].0;
        }
        let squeezed: Vec<usize> = dims.iter().map(|d| d.0).collect();
        // From the innermost dimension outwards: the smaller of two factors divides the larger, or nothing fits.
        let mut factors = vec![Vec::new(); dims.len()];
        let mut others = written.iter().rev().copied().filter(|&n| n != 1);
        let mut other = others.next().unwrap_or(1);
        for &d in order.iter().rev() {
            let mut rest = dims[d].0;
            while rest > 1 {
                let factor = rest.min(other);
                if !rest.is_multiple_of(factor) || !other.is_multiple_of(factor) {
                    return None;
                }
                factors[d].insert(0, factor);
                rest /= factor;
                other /= factor;
                if other == 1 {
                    other = others.next().unwrap_or(1);
                    if other == 1 && rest > 1 {
                        return None;
                    }
                }
            }
        }
        Some(Self { order, factors, squeezed })
    }

    /// Whether both walk the elements in the same order.
    pub fn in_order(&self) -> bool {
        self.order.is_sorted()
    }

    /// The factors in the order of memory.
    fn memory(&self) -> Vec<usize> {
        self.order.iter().flat_map(|&d| self.factors[d].clone()).collect()
    }

    /// A layout over the writer's space, split as far as both are.
    pub fn common(&self, writer: &Layout) -> Option<Layout> {
        writer.reshape(&self.memory())
    }

    /// A layout over the reader's space, over the writer's.
    pub fn to_writer(&self, reader: &Layout) -> Option<Layout> {
        reader.reshape(&self.squeezed)?.permute(&self.order).reshape(&self.memory())
    }

    /// A layout over the reader's space, split as far as both are.
    pub fn split(&self, reader: &Layout) -> Option<Layout> {
        reader.reshape(&self.factors.concat())
    }

    /// A layout over the writer's space, over the reader's.
    pub fn to_reader(&self, writer: &Layout) -> Option<Layout> {
        // Where the factors of each of the reader's dimensions stand in memory.
        let mut at = vec![0; self.order.len()];
        let mut next = 0;
        for &d in &self.order {
            at[d] = next;
            next += self.factors[d].len();
        }
        let back: Vec<usize> = (0..at.len()).flat_map(|d| at[d]..at[d] + self.factors[d].len()).collect();
        Some(self.common(writer)?.permute(&back))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transposed_heads_are_split_and_reordered() {
        // Written as [6, 20], read as [2, 3, 4, 5] with the middle swapped.
        let read = Layout::contiguous(&[2, 3, 4, 5]).permute(&[0, 2, 1, 3]);
        let m = Match::new(&[6, 20], &read).unwrap();
        assert!(!m.in_order());
        // The reader's bias over its last dimension, seen by the writer.
        let bias = Layout::contiguous(&[5]).expand(&[2, 4, 3, 5]);
        let seen = m.to_writer(&bias).unwrap();
        assert_eq!(seen.shape(), &[2, 3, 4, 5]);
        assert_eq!(seen.strides(), &[0, 0, 0, 1]);
        // What the reader stores row-major, the writer stores elsewhere.
        let stored = m.to_writer(&Layout::contiguous(&[2, 4, 3, 5])).unwrap();
        assert_eq!(stored.strides(), &[60, 5, 15, 1]);
        // And back.
        let row = Layout::contiguous(&[6, 1]).expand(&[6, 20]);
        let back = m.to_reader(&row).unwrap();
        assert_eq!((back.shape(), back.strides()), (&[2, 4, 3, 5][..], &[3, 0, 1, 0][..]));
        assert_eq!(m.to_reader(&Layout::contiguous(&[6, 20])).unwrap(), m.split(&read).unwrap());
    }

    #[test]
    fn what_does_not_show_everything_once_does_not_match() {
        let whole = Layout::contiguous(&[4, 6]);
        assert!(Match::new(&[4, 6], &whole.slice(0, 0, 2)).is_none());
        assert!(Match::new(&[4, 6], &Layout::contiguous(&[6]).expand(&[4, 6])).is_none());
        assert!(Match::new(&[4, 6], &Layout::contiguous(&[6, 4])).is_none());
        assert!(Match::new(&[4, 6], &Layout::contiguous(&[24])).unwrap().in_order());
        assert!(Match::new(&[24, 1], &Layout::contiguous(&[2, 1, 12])).unwrap().in_order());
        assert!(Match::new(&[], &Layout::contiguous(&[1, 1])).unwrap().in_order());
        assert!(Match::new(&[0, 3], &Layout::contiguous(&[0, 3])).is_none());
    }
}
