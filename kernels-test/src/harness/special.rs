//! NaN, infinities, −0, subnormals and large numbers through the elementwise operations.
//!
//! The policy: a result is NaN or infinite exactly where the definition in f64, rounded to f32, is; elsewhere it holds
//! within the tolerance. A subnormal input may count as a zero of its sign, as WGSL allows, so what is checked there is
//! only that a result is NaN where one of both readings makes it so, and is none where neither does.

use std::collections::BTreeMap;

use knotwork::{Device, Graph, HostTensor, Tensor, cpu::evaluate, ops::Case};

use super::{Wrong, subject::Runner};
use crate::{
    compare::{Mismatch, index_of},
    fill::{Random, tensor},
};

const VALUES: [f64; 13] = [
    f64::NAN,
    f64::INFINITY,
    f64::NEG_INFINITY,
    0.0,
    -0.0,
    1e-40,
    -1e-40,
    1e30,
    -1e30,
    100.0,
    -100.0,
    20.0,
    -20.0,
];

/// Whether two results agree under the policy.
fn agrees(got: f64, want: f64, tolerance: f64) -> bool {
    match (got.is_finite(), want.is_finite()) {
        (true, true) => (got - want).abs() <= tolerance * want.abs().max(1.0),
        (false, false) => got.is_nan() == want.is_nan() && (got.is_nan() || got == want),
        _ => false,
    }
}

/// The outputs of a case over special values.
pub(super) fn check(case: &Case, device: &Device) -> Result<Wrong, String> {
    let say = |e: knotwork::Error| e.to_string();
    let graph = Graph::new();
    let mut random = Random(case.inputs.len() as u64);
    let mut feeds: BTreeMap<String, HostTensor> = BTreeMap::new();
    let mut inputs: Vec<Tensor> = Vec::new();
    let mut subnormal = [false; 65];
    for (i, input) in case.inputs.iter().enumerate() {
        let name = format!("x{i}");
        let numbers: Vec<f64> = (0..input.shape.iter().product())
            .map(|k| {
                if !input.dtype.is_float() {
                    return random.below(2) as f64;
                }
                // The first input takes each value; the others go through them at another pace.
                let x = if i == 0 { VALUES[k % VALUES.len()] } else { VALUES[random.below(VALUES.len())] };
                subnormal[k] |= x != 0.0 && x.abs() < 1e-38;
                x
            })
            .collect();
        inputs.push(graph.input(&name, input.dtype, input.shape.as_slice()).map_err(say)?);
        feeds.insert(name, tensor(input.dtype, &numbers, &input.shape).map_err(say)?);
    }
    let outputs = (case.build)(&inputs).map_err(say)?;
    let outputs: Vec<&Tensor> = outputs.iter().collect();
    let lent = feeds.iter().map(|(n, v)| (n.as_str(), v.clone())).collect();
    let truth = evaluate(&graph, &outputs, &lent).map_err(say)?;
    let flush = |x: f64| if x.abs() < f64::from(f32::MIN_POSITIVE) { 0.0f64.copysign(x) } else { x };
    let flushed = feeds
        .iter()
        .map(|(name, value)| {
            let numbers: Vec<f64> = value.to_f64().into_iter().map(flush).collect();
            Ok((name.as_str(), tensor(value.dtype(), &numbers, value.shape())?))
        })
        .collect::<knotwork::Result<_>>()
        .map_err(say)?;
    let flushed = evaluate(&graph, &outputs, &flushed).map_err(say)?;
    let mut program = Runner::new(device, &graph, &outputs, Default::default())?;
    let got = program.run(feeds.iter().map(|(n, v)| (n.as_str(), v)))?;
    let mut wrong = Vec::new();
    for ((got, want), zeroed) in got.iter().zip(&truth).zip(&flushed) {
        let zeroed = zeroed.to_f64();
        for (k, (g, w)) in got.to_f64().into_iter().zip(want.to_f64()).enumerate() {
            let holds = if subnormal[k] {
                g.is_nan() == w.is_nan() || g.is_nan() == zeroed[k].is_nan()
            } else {
                agrees(g, w, case.tolerance)
            };
            if !holds {
                let taken: Vec<String> = feeds.values().map(|x| format!("{:e}", x.to_f64()[k])).collect();
                let found = Mismatch { index: index_of(k, want.shape()), got: g, want: w };
                wrong.push((format!("special values ({})", taken.join(", ")), found.to_string()));
            }
        }
    }
    Ok(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_tells_nan_from_infinity_and_signs_apart() {
        let (nan, inf) = (f64::NAN, f64::INFINITY);
        assert!(agrees(nan, nan, 0.0) && agrees(inf, inf, 0.0) && agrees(1.0, 1.0, 0.0));
        assert!(
            !agrees(nan, inf, 1.0)
                && !agrees(inf, -inf, 1.0)
                && !agrees(1.0, nan, 1.0)
                && !agrees(inf, 1.0, 1.0)
        );
    }
}
