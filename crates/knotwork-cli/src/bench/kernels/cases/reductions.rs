//! Reductions by the place and length of what is reduced, and scans.

use knotwork::{Result, Tensor};

use super::{
    super::case::{Case, Size},
    by,
};

/// An operation over one tensor.
type Over = fn(&Tensor) -> Result<Tensor>;

/// Reductions and scans.
pub fn cases(size: Size) -> Vec<Case> {
    let square = size.of([[12, 20], [1024, 1024], [8192, 8192]]);
    let long = size.of([[2, 300], [4, 1 << 18], [4, 1 << 24]]);
    let short = size.of([[40, 3], [1 << 18, 4], [1 << 24, 4]]);
    let table: [(&str, [usize; 2], Over); 20] = [
        ("reduce/sum_last", square, |x| x.sum(&[-1], false)),
        ("reduce/sum_last_few_long_rows", long, |x| x.sum(&[-1], false)),
        ("reduce/sum_last_many_short_rows", short, |x| x.sum(&[-1], false)),
        ("reduce/sum_first", square, |x| x.sum(&[0], false)),
        ("reduce/sum_first_few_columns", short, |x| x.sum(&[0], false)),
        ("reduce/sum_first_few_rows", long, |x| x.sum(&[0], false)),
        ("reduce/sum_all", square, |x| x.sum(&[0, 1], false)),
        ("reduce/sum_transposed", square, |x| x.transpose(0, 1)?.sum(&[-1], false)),
        ("reduce/mean_last", square, |x| x.mean(&[-1], false)),
        ("reduce/max_last", square, |x| x.max(&[-1], false)),
        ("reduce/max_first", square, |x| x.max(&[0], false)),
        ("reduce/min_last_few_long_rows", long, |x| x.min(&[-1], false)),
        ("var/last", square, |x| x.var(&[-1], 0.0, false)),
        ("var/first", square, |x| x.var(&[0], 0.0, false)),
        ("logsumexp/last", square, |x| x.logsumexp(&[-1], false)),
        ("cumsum/last", square, |x| x.cumsum(-1)),
        ("cumsum/last_few_long_rows", long, |x| x.cumsum(-1)),
        ("cumsum/first", square, |x| x.cumsum(0)),
        ("cumsum/first_few_columns", short, |x| x.cumsum(0)),
        ("cumsum/reverse_last", square, |x| x.cumsum_reverse(-1)),
    ];
    table
        .into_iter()
        .map(|(name, shape, over)| {
            Case::new(format!("{name}_{}", by(&shape)), move |g| Ok(vec![over(&g.x(&shape)?)?]))
        })
        .collect()
}
