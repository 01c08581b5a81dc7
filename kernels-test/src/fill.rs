//! Values for inputs: the same ones in every run.

use knotwork::{
    DType, HostTensor, Result,
    ops::{CaseInput, Fill},
};

/// Steele, Lea and Flood's SplitMix64 (2014): a stream of numbers from a seed.
#[derive(Clone, Debug)]
pub(crate) struct Random(pub u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number of 0..1.
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A whole number of 0..bound; 0 where there is none.
    pub fn below(&mut self, bound: usize) -> usize {
        ((self.unit() * bound as f64) as usize).min(bound.saturating_sub(1))
    }

    /// Numbers of −1..1.
    pub fn signed(&mut self, n: usize) -> Vec<f64> {
        (0..n).map(|_| 2.0 * self.unit() - 1.0).collect()
    }
}

/// A seed of names (FNV-1a).
pub(crate) fn seed(names: &[&str]) -> u64 {
    let bytes = names.iter().flat_map(|n| n.bytes());
    bytes.fold(0xCBF2_9CE4_8422_2325, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01B3))
}

/// How far values stay away from kinks; a little more than what is asked, so that rounding to f32 keeps it.
const CLEARANCE: f64 = 1.1e-3;

/// Values for an input, in its element type, away from the kinks.
pub(crate) fn fill(input: &CaseInput, kinks: &[f64], random: &mut Random) -> Result<HostTensor> {
    let n = input.shape.iter().product();
    let values: Vec<f64> = (0..n)
        .map(|_| match input.fill {
            Fill::Uniform(low, high) => {
                let mut x = low + (high - low) * random.unit();
                if input.dtype.is_float() {
                    for &kink in kinks {
                        if (x - kink).abs() < CLEARANCE {
                            x = if x < kink { kink - 2.0 * CLEARANCE } else { kink + 2.0 * CLEARANCE };
                        }
                    }
                }
                x
            }
            Fill::Index(bound) => random.below(bound) as f64,
            Fill::Coin => random.below(2) as f64,
        })
        .collect();
    tensor(input.dtype, &values, &input.shape)
}

/// The nearest tensor of an element type.
pub(crate) fn tensor(dtype: DType, values: &[f64], shape: &[usize]) -> Result<HostTensor> {
    Ok(HostTensor::new(values, shape)?.cast(dtype))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_the_same_in_every_run_and_clear_of_kinks() {
        let input = CaseInput::between(&[1000], -0.01, 0.01);
        let make = || fill(&input, &[0.0], &mut Random(seed(&["a", "b"]))).unwrap();
        assert_eq!(make(), make());
        assert!(make().to_f64().iter().all(|x| x.abs() >= 1e-3));
    }

    #[test]
    fn indices_stay_below_their_bound() {
        let all = fill(&CaseInput::index(&[500], 3), &[], &mut Random(1)).unwrap().to_f64();
        assert!(all.iter().all(|i| [0.0, 1.0, 2.0].contains(i)));
        assert!([0.0, 1.0, 2.0].iter().all(|i| all.contains(i)));
    }
}
