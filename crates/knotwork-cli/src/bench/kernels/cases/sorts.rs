//! Sorts and the best of rows, by the place and length of rows; and what their gradients are made of.

use knotwork::prelude::*;

use super::{
    super::case::{Case, Fill, Size},
    by,
};

/// Whole rows: name, shape, dimension.
type Whole = (&'static str, [usize; 2], isize);
/// The best of rows: name, shape, dimension, how many.
type Best = (&'static str, [usize; 2], isize, usize);

/// Sorts, top-k, gathers and scatters.
pub fn cases(size: Size) -> Vec<Case> {
    let square = size.of([[12, 20], [1024, 1024], [8192, 8192]]);
    let long = size.of([[2, 300], [4, 1 << 18], [4, 1 << 24]]);
    let short = size.of([[40, 3], [1 << 17, 8], [1 << 23, 8]]);
    let one = size.of([[1, 500], [1, 1 << 20], [1, 1 << 26]]);
    let whole: [Whole; 5] = [
        ("last", square, -1),
        ("first", square, 0),
        ("last_few_long_rows", long, -1),
        ("last_many_short_rows", short, -1),
        ("last_one_row", one, -1),
    ];
    let few = size.of([2, 8, 8]);
    let many = size.of([10, 256, 256]);
    let quarter = |shape: [usize; 2]| shape[1] / 4;
    let best: [Best; 7] = [
        ("few_last", square, -1, few),
        ("few_first", square, 0, few),
        ("few_last_few_long_rows", long, -1, few),
        ("many_last_few_long_rows", long, -1, many),
        ("quarter_last_few_long_rows", long, -1, quarter(long)),
        ("many_last_one_row", one, -1, many),
        ("2_last_many_short_rows", short, -1, 2),
    ];
    let mut all = Vec::new();
    for (name, shape, dim) in whole {
        all.push(Case::new(format!("sort/{name}_{}", by(&shape)), move |g| {
            let (values, indices) = g.x(&shape)?.sort(dim, false)?;
            Ok(vec![values, indices])
        }));
    }
    all.push(Case::new(format!("sort/equal_integers_{}", by(&long)), move |g| {
        // Every value comes many times: only a stable order is right.
        let (values, indices) = g.filled(DType::I32, &long, Fill::Index(100))?.sort(-1, true)?;
        Ok(vec![values, indices])
    }));
    all.push(Case::new(format!("sort/backward_{}", by(&square)), move |g| {
        let x = g.x(&square)?;
        let (values, _) = x.sort(-1, false)?;
        g.gradients(&values, &[&x])
    }));
    for (name, shape, dim, k) in best {
        all.push(Case::new(format!("topk/{name}_{k}_of_{}", by(&shape)), move |g| {
            let (values, indices) = g.x(&shape)?.topk(k, dim, true)?;
            Ok(vec![values, indices])
        }));
    }
    all.push(Case::new(format!("topk/backward_{few}_of_{}", by(&square)), move |g| {
        let x = g.x(&square)?;
        let (values, _) = x.topk(few, -1, true)?;
        g.gradients(&values, &[&x])
    }));
    all.push(Case::new(format!("gather/last_{}", by(&square)), move |g| {
        let index = g.index(&square, square[1])?;
        Ok(vec![g.x(&square)?.gather(-1, &index)?])
    }));
    all.push(Case::new(format!("scatter_add/last_{}", by(&square)), move |g| {
        let index = g.index(&square, square[1])?;
        Ok(vec![g.x(&square)?.scatter_add(-1, &index, square[1])?])
    }));
    all
}
