//! The classes of shapes that tuned tables know of a product.

use super::Sizes;
use crate::ops::{Case, CaseInput, Tunable};

/// Elements that an operand has at most while it is tuned.
const OPERAND: usize = 1 << 26;

/// The class of a product: its shorter side, its outputs, its depth.
pub(super) fn class(s: &Sizes, batches: usize) -> String {
    let side = match s.m.min(s.n) {
        0..=4 => "vector",
        5..=16 => "thin",
        17..=48 => "narrow",
        _ => "wide",
    };
    let outputs = match s.m * s.n * batches {
        0..=0x4000 => "few",
        0x4001..=0x4_0000 => "some",
        _ => "many",
    };
    let depth = match s.k {
        0..=64 => "short",
        65..=1024 => "middle",
        _ => "long",
    };
    format!("{side}/{outputs}/{depth}")
}

/// A product of every class that fits memory.
pub(in crate::ops) fn tunable() -> Vec<Tunable> {
    let mut all = Vec::new();
    let sides = [(Some(1), "vector"), (Some(16), "thin"), (Some(32), "narrow"), (None, "wide")];
    for (side, name) in sides {
        for (outputs, many, square) in [(1 << 13, "few", 96), (1 << 17, "some", 384), (1 << 20, "many", 1024)]
        {
            for (k, deep) in [(32, "short"), (512, "middle"), (2048, "long")] {
                let [m, n] = side.map_or([square, square], |n: usize| [outputs / n, n]);
                if m * k > OPERAND {
                    continue;
                }
                let shape = format!("[{m}, {k}] x [{k}, {n}]");
                all.push(Tunable {
                    operation: "matmul",
                    class: format!("{name}/{many}/{deep}"),
                    flops: 2.0 * (m * n * k) as f64,
                    case: Case::new(&shape, vec![CaseInput::new(&[m, k]), CaseInput::new(&[k, n])], |t| {
                        Ok(vec![t[0].matmul(&t[1])?])
                    }),
                });
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Layout, ops::matmul::sizes};

    #[test]
    fn what_is_tuned_is_of_the_class_that_it_says() {
        let all = tunable();
        assert!(all.len() > 30, "{}", all.len());
        for t in all {
            let [a, b] = [0, 1].map(|i| Layout::contiguous(&t.case.inputs[i].shape));
            assert_eq!(class(&sizes(&a, &b), 1), t.class);
        }
    }
}
