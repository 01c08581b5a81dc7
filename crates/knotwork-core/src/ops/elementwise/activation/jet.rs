//! Activations whose value and derivatives are given together: three rows from one f64 function and one f32 function,
//! each of which gives all three (what a row does not use, the compiler leaves out). Their WGSL is three functions.

use super::super::{exact, fast};

/// [value, first derivative, second derivative].
pub(super) type Jet<T> = [T; 3];

/// Attributes as f32, out of the loop.
#[inline(always)]
fn parameters<const N: usize>(attributes: &[f64]) -> [f32; N] {
    std::array::from_fn(|i| attributes.get(i).map_or(0.0, |&a| a as f32))
}

/// The value of a jet. This and the next two are passed as types of their own, so that a loop knows what it keeps.
#[inline(always)]
pub(super) fn value(jet: Jet<f32>) -> f32 {
    jet[0]
}

/// The first derivative of a jet.
#[inline(always)]
pub(super) fn first(jet: Jet<f32>) -> f32 {
    jet[1]
}

/// The second derivative of a jet.
#[inline(always)]
pub(super) fn second(jet: Jet<f32>) -> f32 {
    jet[2]
}

/// What `pick` takes of `f` over a slice.
#[inline(always)]
pub(super) fn smooth<const N: usize>(
    x: &[&[f32]],
    attributes: &[f64],
    y: &mut [f32],
    f: impl Fn(f32, [f32; N]) -> Jet<f32>,
    pick: impl Fn(Jet<f32>) -> f32,
) {
    let p = parameters(attributes);
    fast::unary(
        x,
        y,
        #[inline(always)]
        move |v| pick(f(v, p)),
    );
}

/// What `pick` takes of `f`, which takes (x, a, sin(a x), cos(a x)).
#[inline(always)]
pub(super) fn periodic(
    x: &[&[f32]],
    attributes: &[f64],
    y: &mut [f32],
    f: impl Fn(f32, f64, f32, f32) -> Jet<f32>,
    pick: impl Fn(Jet<f32>) -> f32,
) {
    fast::periodic(
        x,
        attributes,
        y,
        #[inline(always)]
        move |v, a, s, c| pick(f(v, a, s, c)),
    );
}

/// x g(x), from the jet of the gate g; 0 where the gate is, infinite x included.
pub(super) fn gated(x: f64, [g, d1, d2]: Jet<f64>) -> Jet<f64> {
    [exact::vanishing(x, g), g + exact::vanishing(x, d1), 2.0 * d1 + exact::vanishing(x, d2)]
}

/// A product that is 0 where `decays` is.
#[inline(always)]
pub(super) fn vanishing(grows: f32, decays: f32) -> f32 {
    if decays == 0.0 { 0.0 } else { grows * decays }
}

/// As [`gated`], in f32.
#[inline(always)]
pub(super) fn fast_gated(x: f32, [g, d1, d2]: Jet<f32>) -> Jet<f32> {
    [vanishing(x, g), g + vanishing(x, d1), 2.0 * d1 + vanishing(x, d2)]
}

/// NaN for NaN, where a formula may have lost it.
#[inline(always)]
pub(super) fn passing(x: f32, jet: Jet<f32>) -> Jet<f32> {
    if x.is_nan() { [x; 3] } else { jet }
}

/// As [`passing`], in f64.
pub(super) fn defined(x: f64, jet: Jet<f64>) -> Jet<f64> {
    if x.is_nan() { [x; 3] } else { jet }
}

/// `v` as a float and the rest of it, held where every exponential has vanished.
#[inline(always)]
pub(super) fn split(v: f64) -> (f32, f32) {
    let v = v.clamp(-200.0, 200.0);
    let high = v as f32;
    (high, (v - f64::from(high)) as f32)
}

/// (σ(v), σ(−v), their product, their difference tanh(v/2)) for v = high + low, from one exponential.
#[inline(always)]
pub(super) fn logistic(high: f32, low: f32) -> (f32, f32, f32, f32) {
    let negative = high < 0.0;
    let e = fast::math::exp_parts(-high.abs(), if negative { low } else { -low });
    let q = 1.0 / (1.0 + e);
    let p = e * q;
    let t = (1.0 - e) * q;
    if negative { (p, q, p * q, -t) } else { (q, p, p * q, t) }
}

/// The rows of an activation: name, shader file, WGSL arguments, what else the rows have, formulas of the value and both
/// derivatives, f64 function, runner and f32 function: a closure marked to be inlined, as a function's name would be
/// called, and the loop around it not vectorised.
macro_rules! jet {
    ($name:literal, $file:literal, $arguments:literal, $base:expr, $formulas:expr, $exact:expr, $run:path, $fast:expr) => {
        [
            Row {
                name: $name,
                formula: $formulas[0],
                wgsl: call($file, concat!("kw_", $name, $arguments)),
                reference: |x, a| $exact(x[0], a)[0],
                fast: |x, a, y| $run(x, a, y, $fast, super::jet::value),
                derivatives: &[Derivative::Row(concat!($name, "_d1"))],
                ..$base
            },
            Row {
                name: concat!($name, "_d1"),
                formula: $formulas[1],
                wgsl: call($file, concat!("kw_", $name, "_d1", $arguments)),
                reference: |x, a| $exact(x[0], a)[1],
                fast: |x, a, y| $run(x, a, y, $fast, super::jet::first),
                derivatives: &[Derivative::Row(concat!($name, "_d2"))],
                ..$base
            },
            Row {
                name: concat!($name, "_d2"),
                formula: $formulas[2],
                wgsl: call($file, concat!("kw_", $name, "_d2", $arguments)),
                reference: |x, a| $exact(x[0], a)[2],
                fast: |x, a, y| $run(x, a, y, $fast, super::jet::second),
                derivatives: &[],
                ..$base
            },
        ]
    };
}
pub(super) use jet;
