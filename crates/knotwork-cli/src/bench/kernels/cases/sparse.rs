//! Products with sparse matrices, by rows and by blocks.

use knotwork::{Result, Tensor, prelude::DType};

use super::super::case::{Case, Fill, Maker, Size};

/// A sparse matrix: rows and columns (of blocks, where there is a side), entries a row.
#[derive(Clone, Copy)]
struct Pattern {
    rows: usize,
    columns: usize,
    per: usize,
    side: Option<usize>,
}

impl Pattern {
    /// Values, `indptr`, `indices`.
    fn make(self, g: &mut Maker) -> Result<[Tensor; 3]> {
        let entries = self.rows * self.per;
        let values = match self.side {
            None => g.x(&[entries])?,
            Some(side) => g.x(&[entries, side, side])?,
        };
        let starts = g.filled(DType::I32, &[self.rows + 1], Fill::Starts(self.per))?;
        let columns = g.filled(DType::I32, &[entries], Fill::Columns(self.per, self.columns))?;
        Ok([values, starts, columns])
    }

    fn name(self) -> String {
        let Self { rows, columns, per, side } = self;
        let blocks = side.map_or(String::new(), |side| format!("_blocks{side}"));
        format!("{rows}x{columns}_{per}_a_row{blocks}")
    }
}

/// CSR and BSR, plain, transposed and sampled.
pub fn cases(size: Size) -> Vec<Case> {
    let [rows, per, n] = size.of([[20, 3, 5], [4096, 32, 64], [65536, 64, 256]]);
    let csr = Pattern { rows, columns: rows, per, side: None };
    let [rows, per, side] = size.of([[6, 2, 4], [128, 8, 16], [512, 16, 32]]);
    let bsr = Pattern { rows, columns: rows, per, side: Some(side) };
    let vector = Pattern { per: size.of([2, 16, 32]), ..csr };
    let name = csr.name();
    let mut all = vec![
        Case::new(format!("spmm_csr/{name}_by_{n}"), move |g| {
            let [v, p, i] = csr.make(g)?;
            Ok(vec![v.spmm_csr(&p, &i, &g.x(&[csr.columns, n])?)?])
        }),
        Case::new(format!("spmm_csr/{}_by_1", vector.name()), move |g| {
            let [v, p, i] = vector.make(g)?;
            Ok(vec![v.spmm_csr(&p, &i, &g.x(&[vector.columns, 1])?)?])
        }),
        Case::new(format!("spmm_csr_transposed/{name}_by_{n}"), move |g| {
            let [v, p, i] = csr.make(g)?;
            Ok(vec![v.spmm_csr_transposed(&p, &i, &g.x(&[csr.rows, n])?, csr.columns)?])
        }),
        Case::new(format!("sddmm_csr/{name}_by_{n}"), move |g| {
            let [_, p, i] = csr.make(g)?;
            Ok(vec![g.x(&[csr.rows, n])?.sddmm_csr(&p, &i, &g.x(&[n, csr.columns])?)?])
        }),
    ];
    let name = bsr.name();
    let (tall, wide) = (bsr.rows * side, bsr.columns * side);
    all.extend([
        Case::new(format!("spmm_bsr/{name}_by_{n}"), move |g| {
            let [v, p, i] = bsr.make(g)?;
            Ok(vec![v.spmm_bsr(&p, &i, &g.x(&[wide, n])?)?])
        }),
        Case::new(format!("spmm_bsr_transposed/{name}_by_{n}"), move |g| {
            let [v, p, i] = bsr.make(g)?;
            Ok(vec![v.spmm_bsr_transposed(&p, &i, &g.x(&[tall, n])?, wide)?])
        }),
        Case::new(format!("sddmm_bsr/{name}_by_{n}"), move |g| {
            let [_, p, i] = bsr.make(g)?;
            Ok(vec![g.x(&[tall, n])?.sddmm_bsr(&p, &i, &g.x(&[n, wide])?, side)?])
        }),
    ]);
    all
}
