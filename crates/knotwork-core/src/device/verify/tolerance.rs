//! How far a device's result may be from the reference over the very inputs that the device had.
//!
//! First the operation's own tolerance, relative to max(1, |value|), as the harness holds it. An element that misses it
//! gets what the operation makes of its inputs' last digits: the reference runs again over inputs moved by about one unit
//! in the last place, and that element may be off by some times as much as its value moved (a sum of numbers that cancel,
//! a function next to its pole, a comparison at a tie).

use std::{collections::HashMap, sync::OnceLock};

use crate::{
    Result, Site,
    cpu::reference,
    ops::{Op, Reference, registry},
    tensor::{Binding, DType, Layout},
};

/// The tolerance of an operation that the registry does not list (a backward operation, one of the user's own).
const USUAL: f64 = 4e-6;
/// Seeds of the inputs that are moved: so many that not even one of a million elements hardly moves in all of them. (With
/// three, a sum of 1024 products in f32 was called wrong where it happened to move little.)
const MOVES: [u64; 8] = [1, 2, 3, 4, 5, 6, 7, 8];
/// How many times as far as the reference moves a device may be off.
const TIMES: f64 = 12.0;
/// The same for long sums, times the root of their terms. Each of n additions rounds a partial sum, which has walked √k terms
/// far after k: by chance that adds up to n / 5 roundings of a term, while moving all terms moves the sum by √(2 n) of them.
/// The ratio is √n / 7 for one standard deviation; five of them.
const LONG: f64 = 0.75;

/// The largest tolerance of a listed operation's cases.
fn listed(op: &str) -> Option<f64> {
    static LISTED: OnceLock<HashMap<&'static str, f64>> = OnceLock::new();
    let listed = LISTED.get_or_init(|| {
        let largest =
            |op: &crate::ops::Registered| op.cases().iter().fold(0.0, |t: f64, c| t.max(c.tolerance));
        registry().iter().map(|op| (op.name, largest(op))).collect()
    });
    listed.get(op).copied()
}

/// Whether an operation only moves values: each result is one of its inputs, or says which, whole.
pub(super) fn is_exact(op: &str) -> bool {
    listed(op) == Some(0.0)
}

/// What f32 results may miss by, relative to max(1, |value|).
pub(super) fn of(op: &str, dtype: DType) -> f64 {
    let single = listed(op).unwrap_or(USUAL).max(USUAL / 2.0);
    match dtype {
        _ if is_exact(op) => 0.0,
        DType::F32 => single,
        DType::F16 => single.max(2e-3),
        DType::F64 => 1e-10,
        DType::I32 | DType::U32 | DType::Bool => 0.0,
    }
}

/// By how much a device misses the reference, and what it may.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Miss {
    /// The row-major place of the element.
    pub at: usize,
    /// What it may miss by.
    pub allowed: f64,
    /// By how many times that it does; infinite where one is a number and the other is not.
    pub times: f64,
}

/// How many times `allowed` a value is off.
pub(super) fn times(got: f64, want: f64, allowed: f64) -> f64 {
    let off = (got - want).abs();
    match (got.is_finite(), want.is_finite()) {
        (true, true) if off == 0.0 => 0.0,
        (true, true) => off / allowed,
        (false, false) if got.is_nan() == want.is_nan() && (got.is_nan() || got == want) => 0.0,
        _ => f64::INFINITY,
    }
}

/// The element that misses by the most times what it may.
pub(super) fn worst(got: &[f64], want: &[f64], allowed: impl Fn(usize) -> f64) -> Option<Miss> {
    let misses = got.iter().zip(want).enumerate().map(|(at, (&g, &w))| {
        let allowed = allowed(at);
        Miss { at, allowed, times: times(g, w, allowed) }
    });
    misses.reduce(|a, b| if b.times > a.times { b } else { a })
}

/// How far each element of each output moves where the inputs move by about their last digit.
pub(super) fn movement(
    op: &dyn Op,
    inputs: &[Reference],
    outputs: &[Reference],
    site: Site,
    binding: &Binding,
) -> Result<Vec<Vec<f64>>> {
    let mut most: Vec<Vec<f64>> = outputs.iter().map(|o| vec![0.0; o.data.len()]).collect();
    for seed in MOVES {
        let moved: Vec<Reference> =
            inputs.iter().enumerate().map(|(k, r)| shake(r, seed << 8 | k as u64)).collect();
        for ((most, new), old) in most.iter_mut().zip(reference(op, &moved, site, binding)?).zip(outputs) {
            for ((m, n), o) in most.iter_mut().zip(&new.data).zip(&old.data) {
                // Where it stops being a number, the last digit decides about everything.
                let by = if n.is_finite() == o.is_finite() { (n - o).abs() } else { f64::INFINITY };
                *m = if by.is_nan() { *m } else { m.max(by) };
            }
        }
    }
    let times = TIMES.max(LONG * terms(op, inputs, outputs).sqrt());
    most.iter_mut().flatten().for_each(|m| *m *= times);
    Ok(most)
}

/// The products that a result is the sum of, by the operation's own count of its work.
fn terms(op: &dyn Op, inputs: &[Reference], outputs: &[Reference]) -> f64 {
    let all = |values: &[Reference]| -> Vec<(DType, Layout)> {
        values.iter().map(|v| (v.dtype, Layout::contiguous(&v.shape))).collect()
    };
    let results: usize = outputs.iter().map(|o| o.data.len()).sum();
    op.cost(&all(inputs), &all(outputs)).flops / (2.0 * results.max(1) as f64)
}

/// Floating-point values times one plus or minus about a unit in the last place, by a fixed pattern.
fn shake(r: &Reference, seed: u64) -> Reference {
    let unit = match r.dtype {
        DType::F32 => f64::from(f32::EPSILON),
        DType::F16 => f64::from(half::f16::EPSILON),
        DType::F64 => f64::EPSILON,
        DType::I32 | DType::U32 | DType::Bool => return r.clone(),
    };
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut sign = || {
        // xorshift64: any pattern will do that has nothing to do with the values' order.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        if state & 1 == 0 { unit } else { -unit }
    };
    Reference { data: r.data.iter().map(|x| x * (1.0 + sign())).collect(), ..r.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_no_numbers_are_never_near() {
        assert_eq!(times(1.0, 1.5, 0.25), 2.0);
        assert_eq!(times(f64::NAN, f64::NAN, 0.0), 0.0);
        assert_eq!(times(f64::INFINITY, f64::INFINITY, 0.0), 0.0);
        assert_eq!(times(f64::INFINITY, f64::NEG_INFINITY, 1.0), f64::INFINITY);
        assert_eq!(times(f64::NAN, 0.0, 1.0), f64::INFINITY);
        assert_eq!(times(3.0, 3.0, 0.0), 0.0);
        assert_eq!(times(3.0, 4.0, 0.0), f64::INFINITY);
    }

    #[test]
    fn a_listed_operation_has_its_own_tolerance() {
        let largest = |name: &str| {
            let op = registry().into_iter().find(|r| r.name == name).unwrap();
            op.cases().iter().fold(0.0, |t: f64, c| t.max(c.tolerance))
        };
        assert_eq!(of("matmul", DType::F32), largest("matmul").max(2e-6));
        assert_eq!(of("no such operation", DType::F32), USUAL);
        assert_eq!(of("matmul", DType::I32), 0.0);
        assert!(
            is_exact("sort") && is_exact("topk") && !is_exact("matmul") && !is_exact("no such operation")
        );
        assert_eq!(of("sort", DType::F32), 0.0);
    }

    #[test]
    fn a_chain_of_sums_in_single_precision_is_near_enough() {
        // Every element of a product of 1024 terms, added one after another.
        let g = crate::Graph::new();
        let (m, k) = (64, 1024);
        let a = g.input("a", DType::F32, [m, k]).unwrap();
        let b = g.input("b", DType::F32, [k, m]).unwrap();
        let y = a.matmul(&b).unwrap();
        let node = g.node(y.id().node);
        let crate::graph::Kind::Op(op) = &node.kind else { unreachable!() };
        let mut state = 1u64;
        let mut random = |shape: [usize; 2]| {
            let next = |_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                f64::from((state >> 40) as f32 / (1u32 << 23) as f32 - 1.0)
            };
            Reference { dtype: DType::F32, shape: shape.to_vec(), data: (0..m * k).map(next).collect() }
        };
        let inputs = [random([m, k]), random([k, m])];
        let none = Binding::new();
        let out = reference(op.as_ref(), &inputs, node.site, &none).unwrap();
        assert_eq!(terms(op.as_ref(), &inputs, &out), 1024.0);
        let moved = movement(op.as_ref(), &inputs, &out, node.site, &none).unwrap();
        let mut most = 0.0f64;
        for i in 0..m {
            for j in 0..m {
                let mut sum = 0.0f32;
                for l in 0..k {
                    sum += inputs[0].data[i * k + l] as f32 * inputs[1].data[l * m + j] as f32;
                }
                let at = i * m + j;
                most = most.max((f64::from(sum) - out[0].data[at]).abs() / moved[0][at]);
            }
        }
        // Not so much that a missing term, 0.3 or so, would pass.
        assert!(most < 1.0, "{most}");
        assert!(moved[0].iter().all(|m| *m < 3e-4), "{:?}", moved[0].iter().fold(0.0f64, |a, b| a.max(*b)));
    }

    #[test]
    fn what_cancels_may_be_off_by_what_its_terms_were_rounded_by() {
        let g = crate::Graph::new();
        let x = g.input("x", DType::F32, [2000]).unwrap();
        let y = x.sum(&[0], false).unwrap();
        let node = g.node(y.id().node);
        let crate::graph::Kind::Op(op) = &node.kind else { unreachable!() };
        let data = (0..2000).map(|i| if i % 2 == 0 { 1e4 } else { -1e4 }).collect();
        let inputs = [Reference { dtype: DType::F32, shape: vec![2000], data }];
        let none = Binding::new();
        let out = reference(op.as_ref(), &inputs, node.site, &none).unwrap();
        assert_eq!(out[0].data, [0.0]);
        let moved = movement(op.as_ref(), &inputs, &out, node.site, &none).unwrap();
        let rounding = 1e4 * f64::from(f32::EPSILON) * 2000f64.sqrt();
        assert!(moved[0][0] > rounding && moved[0][0] < 100.0 * rounding, "{moved:?}, {rounding}");
    }
}
