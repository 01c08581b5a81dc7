//! What the registry says of sparse products, and the cases of the harness.

use crate::{
    HostTensor, Result,
    graph::Tensor,
    ops::{Case, CaseInput, Cases, Registered},
};

const SOURCE: &str =
    "compressed sparse rows: Tinney and Walker, Direct solutions of sparse network equations, 1967";
const TYPES: &str = "f32, f64; indptr and indices i32 or u32";

pub(in crate::ops) const REGISTERED: [Registered; 6] = [
    Registered {
        name: "spmm_csr",
        formula: "A b, A sparse: the sum of values[k] times row indices[k] of b over the entries k of each row",
        inputs: "values [nnz]; indptr [M + 1]; indices [nnz]; b [K, N]",
        attributes: "",
        types: TYPES,
        source: SOURCE,
        cases: Cases::Listed(|| SIZES.iter().map(|s| product(*s, None)).collect()),
    },
    Registered {
        name: "spmm_csr_transposed",
        formula: "A transposed times b, A sparse",
        inputs: "values [nnz]; indptr [M + 1]; indices [nnz]; b [M, N]",
        attributes: "columns, those of A",
        types: TYPES,
        source: SOURCE,
        cases: Cases::Listed(|| {
            let mut all: Vec<Case> = SIZES.iter().map(|s| transposed(*s, None)).collect();
            // Several blocks of the sort, two digits.
            all.push(transposed(Size { rows: 5, k: 300, n: 1, nnz: 2100 }, None).no_gradient());
            all
        }),
    },
    Registered {
        name: "sddmm_csr",
        formula: "a b at the places of a sparse pattern only",
        inputs: "indptr [M + 1]; indices [nnz]; a [M, D]; b [D, K]",
        attributes: "",
        types: TYPES,
        source: SOURCE,
        cases: Cases::Listed(|| SIZES.iter().map(|s| sampled(*s, None)).collect()),
    },
    Registered {
        name: "spmm_bsr",
        formula: "A b, A sparse in square blocks",
        inputs: "values [nblocks, side, side]; indptr [Mb + 1]; indices [nblocks]; b [Kb side, N]",
        attributes: "",
        types: TYPES,
        source: SOURCE,
        cases: Cases::Listed(|| BLOCKS.iter().map(|(s, side)| product(*s, Some(*side))).collect()),
    },
    Registered {
        name: "spmm_bsr_transposed",
        formula: "A transposed times b, A sparse in square blocks",
        inputs: "values [nblocks, side, side]; indptr [Mb + 1]; indices [nblocks]; b [Mb side, N]",
        attributes: "columns, those of A in elements",
        types: TYPES,
        source: SOURCE,
        cases: Cases::Listed(|| BLOCKS.iter().map(|(s, side)| transposed(*s, Some(*side))).collect()),
    },
    Registered {
        name: "sddmm_bsr",
        formula: "a b in the blocks of a sparse pattern only",
        inputs: "indptr [Mb + 1]; indices [nblocks]; a [Mb side, D]; b [D, Kb side]",
        attributes: "side, that of the blocks",
        types: TYPES,
        source: SOURCE,
        cases: Cases::Listed(|| BLOCKS.iter().map(|(s, side)| sampled(*s, Some(*side))).collect()),
    },
];

/// Block rows, block columns, columns of the dense operand, entries.
#[derive(Clone, Copy, Debug)]
struct Size {
    rows: usize,
    k: usize,
    n: usize,
    nnz: usize,
}

const SIZES: &[Size] = &[
    Size { rows: 1, k: 1, n: 1, nnz: 1 },
    Size { rows: 9, k: 7, n: 3, nnz: 20 },
    Size { rows: 3, k: 5, n: 65, nnz: 9 },
    // Long rows.
    Size { rows: 2, k: 64, n: 1, nnz: 257 },
    // Columns in fours, with some left over for wide vectors.
    Size { rows: 5, k: 6, n: 8, nnz: 17 },
    Size { rows: 2, k: 40, n: 4, nnz: 270 },
    Size { rows: 3, k: 4, n: 140, nnz: 9 },
    Size { rows: 3, k: 4, n: 2, nnz: 0 },
    Size { rows: 3, k: 4, n: 0, nnz: 5 },
    Size { rows: 0, k: 4, n: 2, nnz: 0 },
];

const BLOCKS: &[(Size, usize)] = &[
    (Size { rows: 3, k: 2, n: 3, nnz: 5 }, 4),
    (Size { rows: 2, k: 3, n: 65, nnz: 3 }, 3),
    (Size { rows: 1, k: 2, n: 1, nnz: 20 }, 2),
    (Size { rows: 3, k: 2, n: 8, nnz: 5 }, 4),
    (Size { rows: 2, k: 3, n: 36, nnz: 4 }, 8),
    (Size { rows: 2, k: 2, n: 12, nnz: 3 }, 5),
    (Size { rows: 2, k: 2, n: 2, nnz: 0 }, 2),
];

/// Where rows begin: the first and the last are empty where there are more than two, the others hold as many as fit.
fn indptr(t: &Tensor, size: Size) -> Result<Tensor> {
    let Size { rows, nnz, .. } = size;
    let inner = if rows > 2 { rows - 2 } else { rows };
    let skip = (rows - inner) / 2;
    let at = |i: usize| (i.saturating_sub(skip).min(inner) * nnz / inner.max(1)) as i32;
    t.graph().tensor(HostTensor::from_vec((0..=rows).map(at).collect(), [rows + 1])?)
}

fn name(size: Size, side: Option<usize>) -> String {
    let Size { rows, k, n, nnz } = size;
    let blocks = side.map_or(String::new(), |s| format!(" blocks of {s}"));
    format!("{nnz}{blocks} in [{rows}, {k}], {n} columns")
}

fn values(size: Size, side: Option<usize>) -> CaseInput {
    let shape: Vec<usize> = [size.nnz].into_iter().chain(side.into_iter().flat_map(|s| [s, s])).collect();
    CaseInput::new(&shape)
}

fn product(size: Size, side: Option<usize>) -> Case {
    let inputs = vec![
        values(size, side),
        CaseInput::index(&[size.nnz], size.k),
        CaseInput::new(&[size.k * side.unwrap_or(1), size.n]),
    ];
    Case::new(name(size, side), inputs, move |t| {
        let p = indptr(&t[0], size)?;
        Ok(vec![match side {
            None => t[0].spmm_csr(&p, &t[1], &t[2])?,
            Some(_) => t[0].spmm_bsr(&p, &t[1], &t[2])?,
        }])
    })
}

fn transposed(size: Size, side: Option<usize>) -> Case {
    let columns = size.k * side.unwrap_or(1);
    let inputs = vec![
        values(size, side),
        CaseInput::index(&[size.nnz], size.k),
        CaseInput::new(&[size.rows * side.unwrap_or(1), size.n]),
    ];
    Case::new(name(size, side), inputs, move |t| {
        let p = indptr(&t[0], size)?;
        Ok(vec![match side {
            None => t[0].spmm_csr_transposed(&p, &t[1], &t[2], columns)?,
            Some(_) => t[0].spmm_bsr_transposed(&p, &t[1], &t[2], columns)?,
        }])
    })
}

fn sampled(size: Size, side: Option<usize>) -> Case {
    let s = side.unwrap_or(1);
    let inputs = vec![
        CaseInput::index(&[size.nnz], size.k),
        CaseInput::new(&[size.rows * s, size.n]),
        CaseInput::new(&[size.n, size.k * s]),
    ];
    Case::new(name(size, side), inputs, move |t| {
        let p = indptr(&t[0], size)?;
        Ok(vec![match side {
            None => t[1].sddmm_csr(&p, &t[0], &t[2])?,
            Some(side) => t[1].sddmm_bsr(&p, &t[0], &t[2], side)?,
        }])
    })
}
