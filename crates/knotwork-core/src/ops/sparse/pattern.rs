//! Where the entries of a sparse matrix lie: checked before anything is computed.

/// The row and the column of every entry.
#[derive(Debug)]
pub(super) struct Pattern {
    pub(super) rows: Vec<usize>,
    pub(super) columns: Vec<usize>,
}

impl Pattern {
    /// From the arrays of compressed sparse rows.
    pub(super) fn new(indptr: &[i64], indices: Vec<i64>, bound: usize) -> Result<Self, String> {
        let entries = indices.len();
        if indptr.first() != Some(&0) {
            return Err(format!(
                "indptr begins with {}; it must begin with 0",
                indptr.first().unwrap_or(&-1)
            ));
        }
        if let Some(at) = indptr.windows(2).position(|pair| pair[1] < pair[0]) {
            return Err(format!(
                "indptr falls from {} to {} at {}; it must not fall",
                indptr[at],
                indptr[at + 1],
                at + 1
            ));
        }
        let last = indptr[indptr.len() - 1];
        if usize::try_from(last) != Ok(entries) {
            return Err(format!("indptr ends with {last}, but indices holds {entries} entries"));
        }
        let rows =
            indptr.windows(2).enumerate().flat_map(|(row, s)| (s[0]..s[1]).map(move |_| row)).collect();
        let columns = indices
            .into_iter()
            .enumerate()
            .map(|(at, i)| {
                usize::try_from(i)
                    .ok()
                    .filter(|&i| i < bound)
                    .ok_or_else(|| format!("column index {i} at {at} of indices lies outside 0..{bound}"))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { rows, columns })
    }
}
