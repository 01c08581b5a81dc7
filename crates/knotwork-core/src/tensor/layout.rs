//! Where the elements of a view lie in the buffer that it looks at.

use super::shape::element_count;

/// Shape, strides and offset in elements. Views (reshape, transpose, slice, broadcast) edit it; no data moves.
///
/// ```
/// use knotwork_core::Layout;
/// let t = Layout::contiguous(&[2, 3]).permute(&[1, 0]);
/// assert_eq!((t.shape(), t.strides()), (&[3, 2][..], &[1, 3][..]));
/// assert!(!t.is_contiguous());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Layout {
    shape: Vec<usize>,
    strides: Vec<usize>,
    offset: usize,
}

impl Layout {
    /// Row-major, from the first element on.
    #[must_use]
    pub fn contiguous(shape: &[usize]) -> Self {
        let mut strides = vec![1; shape.len()];
        for d in (1..shape.len()).rev() {
            strides[d - 1] = strides[d] * shape[d].max(1);
        }
        Self { shape: shape.to_vec(), strides, offset: 0 }
    }

    /// The dimensions.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Elements from one index to the next, for each dimension.
    #[must_use]
    pub fn strides(&self) -> &[usize] {
        &self.strides
    }

    /// The element where the view begins.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// The number of elements that the view shows.
    #[must_use]
    pub fn count(&self) -> usize {
        element_count(&self.shape)
    }

    /// Whether the elements lie row-major without gaps from the buffer's first on.
    #[must_use]
    pub fn is_contiguous(&self) -> bool {
        self.offset == 0 && self.is_dense()
    }

    /// Whether the elements lie row-major without gaps, from wherever the view begins.
    #[must_use]
    pub fn is_dense(&self) -> bool {
        let mut expected = 1;
        self.count() <= 1
            || self.shape.iter().zip(&self.strides).rev().all(|(&n, &s)| {
                let ok = n == 1 || s == expected;
                expected *= n;
                ok
            })
    }

    /// Dimensions in another order.
    #[must_use]
    pub fn permute(&self, order: &[usize]) -> Self {
        Self {
            shape: order.iter().map(|&d| self.shape[d]).collect(),
            strides: order.iter().map(|&d| self.strides[d]).collect(),
            offset: self.offset,
        }
    }

    /// Stretched to a shape that it broadcasts to: stride 0 where a dimension repeats.
    #[must_use]
    pub fn expand(&self, shape: &[usize]) -> Self {
        let new = shape.len() - self.shape.len();
        let strides = (0..shape.len())
            .map(|d| if d < new || self.shape[d - new] != shape[d] { 0 } else { self.strides[d - new] })
            .collect();
        Self { shape: shape.to_vec(), strides, offset: self.offset }
    }

    /// Indices `start..end` of one dimension.
    #[must_use]
    pub fn slice(&self, dim: usize, start: usize, end: usize) -> Self {
        let mut out = self.clone();
        out.shape[dim] = end - start;
        if out.count() > 0 {
            out.offset += start * self.strides[dim];
        }
        out
    }

    /// The same elements, counted from a later element of the buffer.
    #[must_use]
    pub(crate) fn counted_from(&self, first: usize) -> Self {
        Self { offset: self.offset.saturating_sub(first), ..self.clone() }
    }

    /// The same elements under another shape, where strides can say it; `None` where a copy is needed.
    #[must_use]
    pub fn reshape(&self, shape: &[usize]) -> Option<Self> {
        if self.count() == 0 || self.is_dense() {
            return Some(Self { offset: self.offset, ..Self::contiguous(shape) });
        }
        // Walk both shapes from the outside, matching groups of dimensions with equal products.
        let old: Vec<(usize, usize)> =
            self.shape.iter().copied().zip(self.strides.iter().copied()).filter(|&(n, _)| n != 1).collect();
        let mut strides = vec![1; shape.len()];
        let (mut i, mut j) = (0, 0);
        while j < shape.len() {
            if shape[j] == 1 {
                j += 1;
                continue;
            }
            let (from_i, from_j) = (i, j);
            let (mut a, mut b) = (old[i].0, shape[j]);
            while a != b {
                if a < b {
                    i += 1;
                    a *= old[i].0;
                } else {
                    j += 1;
                    b *= shape[j];
                }
            }
            if (from_i..i).any(|d| old[d].1 != old[d + 1].1 * old[d + 1].0) {
                return None;
            }
            let mut stride = old[i].1;
            for d in (from_j..=j).rev() {
                strides[d] = stride;
                stride *= shape[d];
            }
            (i, j) = (i + 1, j + 1);
        }
        Some(Self { shape: shape.to_vec(), strides, offset: self.offset })
    }

    /// What a view on row-major memory becomes where that memory's elements lie as `inner` says instead; `None` where
    /// strides cannot say it.
    pub(crate) fn through(&self, inner: &Self) -> Option<Self> {
        if self.offset == 0 && self.is_dense() && self.count() == inner.count() {
            return inner.reshape(&self.shape);
        }
        if self.count() == 0 {
            return None;
        }
        let rows = Self::contiguous(&inner.shape);
        let digits = |position: usize| -> Vec<usize> {
            let each = rows.strides.iter().zip(&rows.shape);
            each.map(|(&stride, &n)| position / stride % n.max(1)).collect()
        };
        let place = |index: &[usize]| index.iter().zip(&inner.strides).map(|(i, s)| i * s).sum::<usize>();
        // Each step of this view moves along dimensions of `inner`; the farthest must stay inside each of them, or
        // a step would carry over into the next.
        let first = digits(self.offset);
        let mut farthest = first.clone();
        let mut strides = Vec::with_capacity(self.shape.len());
        for (&n, &stride) in self.shape.iter().zip(&self.strides) {
            let step = if n > 1 { digits(stride) } else { vec![0; first.len()] };
            farthest.iter_mut().zip(&step).for_each(|(f, s)| *f += (n - 1) * s);
            strides.push(place(&step));
        }
        let inside = farthest.iter().zip(&inner.shape).all(|(f, n)| f < n);
        inside.then(|| Self { shape: self.shape.clone(), strides, offset: inner.offset + place(&first) })
    }

    /// The same walk over the elements in as few dimensions as can say it, for several layouts of one shape.
    #[must_use]
    pub fn collapse(layouts: &[&Self]) -> Vec<Self> {
        let Some(first) = layouts.first() else { return Vec::new() };
        let mut shape: Vec<usize> = Vec::new();
        let mut strides: Vec<Vec<usize>> = vec![Vec::new(); layouts.len()];
        for d in 0..first.shape.len() {
            let n = first.shape[d];
            if n == 1 {
                continue;
            }
            let joins = !shape.is_empty()
                && layouts.iter().zip(&strides).all(|(l, s)| s.last() == Some(&(l.strides[d] * n)));
            if joins {
                if let Some(last) = shape.last_mut() {
                    *last *= n;
                }
            } else {
                shape.push(n);
            }
            for (l, s) in layouts.iter().zip(&mut strides) {
                if joins {
                    s.pop();
                }
                s.push(l.strides[d]);
            }
        }
        layouts
            .iter()
            .zip(strides)
            .map(|(l, strides)| Self { shape: shape.clone(), strides, offset: l.offset })
            .collect()
    }

    /// The buffer positions of all elements, in row-major order of the view.
    pub fn positions(&self) -> impl Iterator<Item = usize> + '_ {
        let mut index = vec![0; self.shape.len()];
        let mut at = self.offset;
        (0..self.count()).map(move |_| {
            let here = at;
            for d in (0..index.len()).rev() {
                index[d] += 1;
                at += self.strides[d];
                if index[d] < self.shape[d] {
                    break;
                }
                at -= self.strides[d] * self.shape[d];
                index[d] = 0;
            }
            here
        })
    }

    /// One past the last buffer position that the view can touch.
    #[must_use]
    pub fn extent(&self) -> usize {
        if self.count() == 0 {
            return self.offset;
        }
        self.offset + 1 + self.shape.iter().zip(&self.strides).map(|(n, s)| (n - 1) * s).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn positions(l: &Layout) -> Vec<usize> {
        l.positions().collect()
    }

    #[test]
    fn views_compose() {
        let base = Layout::contiguous(&[4, 6]);
        let v = base.slice(0, 1, 3).permute(&[1, 0]);
        assert_eq!(positions(&v), vec![6, 12, 7, 13, 8, 14, 9, 15, 10, 16, 11, 17]);
        assert_eq!(v.extent(), 18);
        assert!(v.reshape(&[12]).is_none());
        let w = base.slice(1, 0, 4).reshape(&[2, 2, 2, 2]).unwrap();
        assert_eq!(positions(&w), positions(&base.slice(1, 0, 4)));
    }

    #[test]
    fn expanded_dimensions_have_stride_zero() {
        let v = Layout::contiguous(&[3]).expand(&[2, 3]);
        assert_eq!(positions(&v), vec![0, 1, 2, 0, 1, 2]);
        assert!(!v.is_dense());
    }

    #[test]
    fn a_view_through_another_order() {
        let inner = Layout::contiguous(&[2, 5, 3]).permute(&[0, 2, 1]).slice(2, 1, 5);
        let rows = Layout::contiguous(inner.shape());
        let memory = positions(&inner);
        let views = [
            rows.permute(&[2, 0, 1]),
            rows.slice(1, 1, 3).slice(2, 2, 4),
            rows.slice(0, 1, 2).permute(&[1, 2, 0]).expand(&[4, 3, 4, 1]),
            Layout::contiguous(&[2, 3, 2, 2]).permute(&[3, 1, 2, 0]),
            Layout::contiguous(&[2, 3, 1, 4]),
        ];
        for view in views {
            let want: Vec<usize> = view.positions().map(|at| memory[at]).collect();
            assert_eq!(positions(&view.through(&inner).unwrap()), want, "{view:?}");
        }
        // Two dimensions that lie across each other cannot become one, neither by reshaping nor by a stride.
        assert_eq!(Layout::contiguous(&[2, 12]).through(&inner), None);
        assert_eq!(Layout::contiguous(&[2, 12]).permute(&[1, 0]).through(&inner), None);
        assert_eq!(Layout::contiguous(&[24]).slice(0, 0, 7).through(&inner), None);
    }

    #[test]
    fn collapse_keeps_the_walk() {
        let a = Layout::contiguous(&[2, 3, 4]);
        let b = Layout::contiguous(&[4]).expand(&[2, 3, 4]);
        let c = Layout::collapse(&[&a, &b]);
        assert_eq!(c[0].shape(), &[6, 4]);
        assert_eq!(positions(&c[0]), positions(&a));
        assert_eq!(positions(&c[1]), positions(&b));
        assert_eq!(Layout::collapse(&[&a])[0].shape(), &[24]);
    }

    #[test]
    fn empty_and_unit_dimensions() {
        assert!(Layout::contiguous(&[0, 3]).is_contiguous());
        assert_eq!(positions(&Layout::contiguous(&[3, 0])), Vec::<usize>::new());
        assert!(Layout::contiguous(&[1, 5]).permute(&[1, 0]).is_contiguous());
    }
}
