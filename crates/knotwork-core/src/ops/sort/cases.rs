//! What the harness tests of sorts.

use crate::{
    DType,
    ops::{Case, CaseInput, Cases, Fill, Registered},
};

pub(in crate::ops) const REGISTERED: [Registered; 2] = [
    Registered {
        name: "sort",
        formula: "values of x along dim in order, and the indices where they were; stable, NaN largest, −0 = 0",
        inputs: "x […]",
        attributes: "dim, descending",
        types: "f32, f16, i32, u32, f64; gradients of floats",
        source: "",
        cases: Cases::Listed(sorts),
    },
    Registered {
        name: "topk",
        formula: "the first k values of the sort along dim, and their indices",
        inputs: "x […]",
        attributes: "k (0 to the length), dim, largest",
        types: "f32, f16, i32, u32, f64; gradients of floats",
        source: "",
        cases: Cases::Listed(tops),
    },
];

/// Values are moved, and indices whole: nothing may be off.
const EXACT: f64 = 0.0;

/// How inputs are made: spread floats, or few whole numbers, most of them several times.
#[derive(Clone, Copy, Debug)]
enum Of {
    Floats,
    Few(DType),
}

impl Of {
    fn input(self, shape: &[usize]) -> CaseInput {
        match self {
            Self::Floats => CaseInput::new(shape),
            Self::Few(dtype) => CaseInput { dtype, shape: shape.to_vec(), fill: Fill::Index(5) },
        }
    }
}

fn sort(shape: &[usize], dim: isize, descending: bool, of: Of) -> Case {
    let name = format!("{shape:?} along {dim}, {}{of:?}", if descending { "descending, " } else { "" });
    Case::new(name, vec![of.input(shape)], move |t| {
        let (values, indices) = t[0].sort(dim, descending)?;
        Ok(vec![values, indices])
    })
    .tolerance(EXACT)
}

fn top(shape: &[usize], k: usize, dim: isize, largest: bool, of: Of) -> Case {
    let name =
        format!("{k} {} of {shape:?} along {dim}, {of:?}", if largest { "largest" } else { "smallest" });
    Case::new(name, vec![of.input(shape)], move |t| {
        let (values, indices) = t[0].topk(k, dim, largest)?;
        Ok(vec![values, indices])
    })
    .tolerance(EXACT)
}

fn sorts() -> Vec<Case> {
    use Of::{Few, Floats};
    vec![
        sort(&[1], 0, false, Floats),
        sort(&[7, 5], 1, true, Floats),
        sort(&[13, 3], 0, false, Floats),
        sort(&[2, 17, 4], 1, true, Floats),
        sort(&[3, 61], -1, false, Floats),
        sort(&[5, 0, 2], 1, false, Floats),
        sort(&[0, 5], 1, false, Floats),
        // Equal values keep their order.
        sort(&[70, 9], 1, false, Few(DType::I32)),
        sort(&[3, 130], 1, true, Few(DType::U32)),
        sort(&[2, 1031], 1, true, Few(DType::F32)).no_gradient(),
        sort(&[3, 40], 1, false, Few(DType::F16)).no_gradient(),
        // A whole tile, and rows of several: two, an odd number, a last one of a single element.
        sort(&[2, 2048], 1, false, Floats).no_gradient(),
        sort(&[2, 4099], 1, true, Floats).no_gradient(),
        sort(&[8193], 0, false, Few(DType::F32)).no_gradient(),
        sort(&[2, 14_000], 1, true, Few(DType::I32)).no_gradient(),
    ]
}

fn tops() -> Vec<Case> {
    use Of::{Few, Floats};
    vec![
        top(&[1], 1, 0, true, Floats),
        top(&[7, 5], 2, 1, true, Floats),
        top(&[13, 3], 4, 0, false, Floats),
        top(&[2, 17, 4], 17, 1, true, Floats),
        top(&[3, 61], 5, -1, false, Floats),
        top(&[3, 7], 0, 1, true, Floats),
        top(&[0, 5], 2, 1, true, Floats),
        top(&[70, 40], 3, 1, true, Few(DType::I32)),
        top(&[2, 300], 130, 1, false, Few(DType::F32)).no_gradient(),
        // Parts whose best are sorted again, once and twice; and merged.
        top(&[2, 4099], 3, 1, true, Floats).no_gradient(),
        top(&[9000], 500, 0, false, Few(DType::F32)).no_gradient(),
        top(&[2, 20_000], 400, 1, true, Few(DType::U32)).no_gradient(),
        top(&[2, 5000], 513, 1, true, Few(DType::I32)).no_gradient(),
        top(&[12_289], 3000, 0, true, Floats).no_gradient(),
    ]
}
