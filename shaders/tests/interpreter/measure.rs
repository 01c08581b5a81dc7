//! Sweeps over the floats, units of error, and the bounds that tests put on them.

use super::Shader;

/// Floats of a range: `n` evenly spaced, and those of `n` evenly spaced by their bits, of both signs, that lie in it.
pub fn sweep(low: f32, high: f32, n: u32) -> Vec<f32> {
    let even = (0..=n).map(|i| f64::from(i) / f64::from(n)).map(|t| {
        // In f64, where the width of the whole range is finite.
        (f64::from(low) + (f64::from(high) - f64::from(low)) * t) as f32
    });
    let (small, large) = (1e-37f32.to_bits(), low.abs().max(high.abs()).to_bits());
    let by_bits = (small..=large).step_by(((large - small) / n).max(1) as usize).map(f32::from_bits);
    let signed = by_bits.flat_map(|x| [x, -x]);
    even.chain(signed).filter(|x| (low..=high).contains(x)).collect()
}

/// The distance of a float from the truth in units of the truth's last place; below the normal range, in units of the
/// smallest normal number's, and nothing where both are flushed or saturated alike.
pub fn ulps(got: f32, truth: f64) -> f64 {
    let near = truth as f32;
    if got == near || (got.is_nan() && near.is_nan()) {
        return 0.0;
    }
    let size = truth.abs().clamp(f64::from(f32::MIN_POSITIVE), f64::from(f32::MAX));
    let ulp = 2f64.powi(size.log2().floor() as i32 - 23);
    (f64::from(got) - truth).abs() / ulp
}

/// Asserts a bound on the error of a function, in the unit that `error` measures.
pub fn check(
    file: &str,
    name: &str,
    range: (f32, f32),
    bound: f64,
    truth: impl Fn(f64) -> f64,
    error: fn(f32, f64) -> f64,
) {
    for fused in [false, true] {
        let shader = Shader::load(file, fused);
        let function = shader.unary(name);
        let (mut worst, mut at) = (0.0, 0.0);
        for x in sweep(range.0, range.1, 40_000) {
            let error = error(function(x), truth(f64::from(x)));
            if error > worst || error.is_nan() {
                (worst, at) = (error, x);
            }
        }
        println!("{name} on {range:?}, fused {fused}: {worst:.3e} at {at:e}");
        assert!(
            worst <= bound,
            "{name}({at:e}) = {:e}, is off by {worst:.3e}, bound {bound:e}",
            function(at)
        );
        assert!(function(f32::NAN).is_nan(), "{name}(NaN)");
    }
}

/// The distance from the truth.
pub fn absolute(got: f32, truth: f64) -> f64 {
    (f64::from(got) - truth).abs()
}

/// The distance from the truth in units of it.
pub fn relative(got: f32, truth: f64) -> f64 {
    absolute(got, truth) / truth.abs().max(f64::from(f32::MIN_POSITIVE))
}

/// Infinity.
pub const INF: f32 = f32::INFINITY;

/// Asserts exact values; NaN for any NaN.
pub fn limits(file: &str, name: &str, pairs: &[(f32, f32)]) {
    let shader = Shader::load(file, false);
    let function = shader.unary(name);
    for &(x, y) in pairs {
        let got = function(x);
        assert!(got == y || (got.is_nan() && y.is_nan()), "{name}({x:e}) = {got:e}, not {y:e}");
    }
}
