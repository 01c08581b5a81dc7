//! Random values for inputs.

use knotwork::{HostTensor, nn::Generator, prelude::*};

use super::case::Fill;

/// Random tensors, one after the other.
#[derive(Debug)]
pub struct Random(Generator);

impl Random {
    /// The stream of a seed and a name: a case has the same values whichever others are measured beside it.
    pub fn new(seed: u64, name: &str) -> Self {
        // FNV-1a.
        let hash = name
            .bytes()
            .fold(0xCBF2_9CE4_8422_2325, |h: u64, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01B3));
        Self(Generator::new(seed ^ hash))
    }

    /// A filled tensor.
    pub fn tensor(&mut self, dtype: DType, shape: &[usize], fill: Fill) -> Result<HostTensor> {
        if let Fill::Uniform(low, high) = fill {
            return Ok(self.0.uniform(shape, low, high).map_err(say)?.cast(dtype));
        }
        let unit = self.0.uniform(shape, 0.0, 1.0).map_err(say)?;
        let below = |u: f32, bound: usize| ((f64::from(u) * bound as f64) as usize).min(bound.max(1) - 1);
        let values = unit
            .as_slice::<f32>()?
            .iter()
            .enumerate()
            .map(|(i, &u)| match fill {
                Fill::Uniform(low, _) => low as i32,
                Fill::Index(bound) => below(u, bound) as i32,
                Fill::Starts(n) => (i * n) as i32,
                // One column out of each of n parts.
                Fill::Columns(n, bound) => {
                    let (from, to) = (i % n * bound / n, (i % n + 1) * bound / n);
                    (from + below(u, to - from)) as i32
                }
            })
            .collect();
        Ok(HostTensor::from_vec::<i32>(values, shape)?.cast(dtype))
    }
}

fn say(e: knotwork::nn::Error) -> knotwork::Error {
    knotwork::Error::Host(e.to_string())
}

type Result<T> = knotwork::Result<T>;

#[cfg(test)]
mod tests {
    use super::*;

    fn values(seed: u64, name: &str, dtype: DType, shape: &[usize], fill: Fill) -> Vec<f64> {
        Random::new(seed, name).tensor(dtype, shape, fill).unwrap().to_f64()
    }

    #[test]
    fn values_depend_on_the_seed_and_the_name() {
        let of = |seed, name| values(seed, name, DType::F32, &[100], Fill::Uniform(-1.0, 1.0));
        assert_eq!(of(1, "a"), of(1, "a"));
        assert_ne!(of(1, "a"), of(2, "a"));
        assert_ne!(of(1, "a"), of(1, "b"));
        assert!(of(1, "a").iter().all(|x| x.abs() <= 1.0) && of(1, "a").iter().any(|x| x.abs() > 0.5));
    }

    #[test]
    fn columns_rise_within_each_row() {
        let all = values(3, "", DType::I32, &[40], Fill::Columns(4, 10));
        assert!(all.chunks(4).all(|row| row.windows(2).all(|w| w[0] < w[1])), "{all:?}");
        assert!(all.iter().all(|&c| (0.0..10.0).contains(&c)));
        assert_eq!(values(3, "", DType::I32, &[4], Fill::Starts(4)), [0.0, 4.0, 8.0, 12.0]);
    }
}
