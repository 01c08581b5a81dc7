//! Products of matrices that lie in slices, on the calling thread.

/// A matrix in a slice: element (i, j) is `data[i * row + j * column]`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Matrix<'a> {
    pub data: &'a [f32],
    pub row: usize,
    pub column: usize,
}

impl<'a> Matrix<'a> {
    /// Rows of `width` elements that begin `row` elements apart.
    pub fn rows(data: &'a [f32], row: usize) -> Self {
        Self { data, row, column: 1 }
    }

    /// The same elements with rows and columns exchanged.
    pub fn transposed(self) -> Self {
        Self { row: self.column, column: self.row, ..self }
    }

    fn holds(&self, rows: usize, columns: usize) -> bool {
        rows == 0 || columns == 0 || (rows - 1) * self.row + (columns - 1) * self.column < self.data.len()
    }
}

/// c = factor a b (+ c where `add`), for a `[m, k]`, b `[k, n]` and c `[m, n]` with rows `pitch` elements apart.
///
/// Sums depend on the sizes only.
///
/// # Panics
/// Where a matrix reaches beyond its slice: the caller's fault, never that of an input.
pub(crate) fn product(
    [m, n, k]: [usize; 3],
    factor: f32,
    a: Matrix<'_>,
    b: Matrix<'_>,
    c: &mut [f32],
    pitch: usize,
    add: bool,
) {
    if m == 0 || n == 0 {
        return;
    }
    let whole = (m - 1) * pitch + n <= c.len() && (m == 1 || n <= pitch);
    assert!(whole && a.holds(m, k) && b.holds(k, n), "a matrix reaches beyond its slice");
    if k == 0 {
        if !add {
            c.chunks_mut(pitch).take(m).for_each(|row| row[..n].fill(0.0));
        }
        return;
    }
    // SAFETY: the three matrices lie inside their slices, checked above, and c is borrowed alone.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            c.as_mut_ptr(),
            1,
            pitch as isize,
            add,
            a.data.as_ptr(),
            a.column as isize,
            a.row as isize,
            b.data.as_ptr(),
            b.column as isize,
            b.row as isize,
            1.0,
            factor,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}
