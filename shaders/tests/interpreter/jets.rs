//! An activation and its derivatives, with attributes, against one f64 function: the derivatives' truth is a difference
//! of it of high order, so that no formula is shared.

use super::{Shader, Value, measure::sweep};

/// The functions NAME, NAME_d1 and NAME_d2 of a file; NAME ends before `suffix`.
pub struct Jet<'a> {
    pub file: &'a str,
    pub name: &'a str,
    pub suffix: &'a str,
    pub attributes: &'a [f32],
}

/// The first derivative by a central difference of eighth order.
pub fn first(f: &impl Fn(f64) -> f64, x: f64) -> f64 {
    let h = 1e-3;
    let weights = [4.0 / 5.0, -1.0 / 5.0, 4.0 / 105.0, -1.0 / 280.0];
    let sum: f64 =
        weights.iter().zip(1..).map(|(w, k)| w * (f(x + h * f64::from(k)) - f(x - h * f64::from(k)))).sum();
    sum / h
}

/// The second derivative likewise.
pub fn second(f: &impl Fn(f64) -> f64, x: f64) -> f64 {
    let h = 2e-3;
    let weights = [8.0 / 5.0, -1.0 / 5.0, 8.0 / 315.0, -1.0 / 560.0];
    let middle = f(x);
    let sum: f64 = weights
        .iter()
        .zip(1..)
        .map(|(w, k)| w * ((f(x + h * f64::from(k)) - middle) + (f(x - h * f64::from(k)) - middle)))
        .sum();
    sum / (h * h)
}

impl Jet<'_> {
    fn function(&self, order: usize, fused: bool) -> impl Fn(f32) -> f32 {
        let shader = Shader::load(self.file, fused);
        let name = format!("{}{}{}", self.name, ["", "_d1", "_d2"][order], self.suffix);
        let attributes: Vec<Value> = self.attributes.iter().map(|&a| Value::Float(a)).collect();
        move |x| {
            let mut arguments = vec![Value::Float(x)];
            arguments.extend(attributes.iter().cloned());
            match shader.run(&name, &arguments) {
                Value::Float(y) => y,
                other => panic!("{name} gave {other:?}"),
            }
        }
    }

    /// All three on a range: the error relative to the truth, or to 1 where `floor` is 1 and the truth is less.
    pub fn check(
        &self,
        orders: &[usize],
        range: (f32, f32),
        bound: f64,
        floor: f64,
        f: &impl Fn(f64) -> f64,
    ) {
        for &order in orders {
            for fused in [false, true] {
                let function = self.function(order, fused);
                let (mut worst, mut at) = (0.0, 0.0);
                for x in sweep(range.0, range.1, 1_000) {
                    let truth = match order {
                        0 => f(x.into()),
                        1 => first(f, x.into()),
                        _ => second(f, x.into()),
                    };
                    let size = truth.abs().max(floor).max(f64::from(f32::MIN_POSITIVE));
                    let error = (f64::from(function(x)) - truth).abs() / size;
                    if error > worst || error.is_nan() {
                        (worst, at) = (error, x);
                    }
                }
                let of = format!("{}, order {order}, {:?} on {range:?}", self.name, self.attributes);
                println!("{of}, fused {fused}: {worst:.3e} at {at:e}");
                assert!(worst <= bound, "{of}: {:e} at {at:e} is off by {worst:.3e}", function(at));
                assert!(function(f32::NAN).is_nan(), "{of}: NaN");
            }
        }
    }

    /// Exact values of the three, NaN for any NaN: (x, [value, first, second]).
    pub fn limits(&self, pairs: &[(f32, [f32; 3])]) {
        for order in 0..3 {
            let function = self.function(order, false);
            for &(x, want) in pairs {
                let (got, want) = (function(x), want[order]);
                assert!(
                    got == want || (got.is_nan() && want.is_nan()),
                    "{}, order {order}, {:?}: {got:e} at {x:e}, not {want:e}",
                    self.name,
                    self.attributes
                );
            }
        }
    }
}
