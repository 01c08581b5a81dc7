//! Initial values from a seed: the same on every platform and at every number of threads.

use knotwork_core::{HostTensor, tensor::element_count};
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};
use serde::{Deserialize, Serialize};

use crate::Result;

/// A source of random tensors: a seed, and how many tensors were drawn so far. Both together are its whole state, so a
/// checkpoint can hold it. Each tensor comes from a ChaCha8 stream of its own, numbered by the counter.
///
/// ```
/// use knotwork_nn::Generator;
/// let mut a = Generator::new(7);
/// let first = a.uniform(&[2, 3], -1.0, 1.0)?;
/// assert_eq!(Generator::new(7).uniform(&[2, 3], -1.0, 1.0)?, first);
/// assert_eq!(a.counter(), 1);
/// let second = a.uniform(&[2, 3], -1.0, 1.0)?;
/// assert_eq!(Generator::at(7, 1).uniform(&[2, 3], -1.0, 1.0)?, second);
/// # Ok::<(), knotwork_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generator {
    seed: u64,
    counter: u64,
}

impl Generator {
    /// The generator of that seed, before its first tensor.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self::at(seed, 0)
    }

    /// The generator of that seed after `counter` tensors.
    #[must_use]
    pub fn at(seed: u64, counter: u64) -> Self {
        Self { seed, counter }
    }

    /// The generator of a seed for a thing of that name: layers of one seed and different names draw different values.
    #[must_use]
    pub fn named(seed: u64, name: &str) -> Self {
        // FNV-1a: a fixed, portable hash.
        let hash = name
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
        Self::new(seed ^ hash)
    }

    /// The seed.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// How many tensors were drawn.
    #[must_use]
    pub fn counter(&self) -> u64 {
        self.counter
    }

    fn stream(&mut self) -> ChaCha8Rng {
        let rng = stream(self.seed, self.counter);
        self.counter += 1;
        rng
    }

    /// Evenly in [low, high), f32.
    ///
    /// # Errors
    /// None today.
    pub fn uniform(&mut self, shape: &[usize], low: f64, high: f64) -> Result<HostTensor> {
        let mut rng = self.stream();
        let values: Vec<f32> =
            (0..element_count(shape)).map(|_| (low + (high - low) * unit(&mut rng)) as f32).collect();
        Ok(HostTensor::from_vec(values, shape)?)
    }

    /// Normal with that mean and standard deviation, f32 (Box and Muller 1958).
    ///
    /// # Errors
    /// None today.
    pub fn normal(&mut self, shape: &[usize], mean: f64, std: f64) -> Result<HostTensor> {
        let mut rng = self.stream();
        let n = element_count(shape);
        let mut values = Vec::with_capacity(n + 1);
        while values.len() < n {
            // 1 − u lies in (0, 1], so its logarithm is finite.
            let radius = (-2.0 * libm::log(1.0 - unit(&mut rng))).sqrt();
            let angle = std::f64::consts::TAU * unit(&mut rng);
            values.push((mean + std * radius * libm::cos(angle)) as f32);
            values.push((mean + std * radius * libm::sin(angle)) as f32);
        }
        values.truncate(n);
        Ok(HostTensor::from_vec(values, shape)?)
    }

    /// Uniform with variance gain² / fan_in (He et al. 2015): the range is ±gain √(3 / fan_in). √2 is the gain before
    /// relu, 1 before a linear function.
    ///
    /// # Errors
    /// None today.
    pub fn kaiming_uniform(&mut self, shape: &[usize], fan_in: usize, gain: f64) -> Result<HostTensor> {
        let bound = gain * (3.0 / fan_in.max(1) as f64).sqrt();
        self.uniform(shape, -bound, bound)
    }

    /// Uniform with variance 2 gain² / (fan_in + fan_out) (Glorot and Bengio 2010).
    ///
    /// # Errors
    /// None today.
    pub fn xavier_uniform(
        &mut self,
        shape: &[usize],
        fan_in: usize,
        fan_out: usize,
        gain: f64,
    ) -> Result<HostTensor> {
        let bound = gain * (6.0 / (fan_in + fan_out).max(1) as f64).sqrt();
        self.uniform(shape, -bound, bound)
    }

    /// Normal with variance 2 gain² / (fan_in + fan_out) (Glorot and Bengio 2010).
    ///
    /// # Errors
    /// None today.
    pub fn xavier_normal(
        &mut self,
        shape: &[usize],
        fan_in: usize,
        fan_out: usize,
        gain: f64,
    ) -> Result<HostTensor> {
        self.normal(shape, 0.0, gain * (2.0 / (fan_in + fan_out).max(1) as f64).sqrt())
    }
}

/// The numbered stream of a seed.
pub(crate) fn stream(seed: u64, number: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(number);
    rng
}

/// Evenly in [0, 1), by 53 bits.
fn unit(rng: &mut ChaCha8Rng) -> f64 {
    (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64
}

/// A random order of 0..n, by Fisher and Yates.
pub(crate) fn permutation(n: usize, seed: u64, number: u64) -> Vec<usize> {
    let mut rng = stream(seed, number);
    let mut order: Vec<usize> = (0..n).collect();
    for i in (1..n).rev() {
        // The high half of the product: evenly in 0..=i up to 2⁻⁶⁴ i.
        let j = ((u128::from(rng.next_u64()) * (i as u128 + 1)) >> 64) as usize;
        order.swap(i, j);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(t: &HostTensor) -> (f64, f64) {
        let v = t.to_f64();
        let mean = v.iter().sum::<f64>() / v.len() as f64;
        (mean, v.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / v.len() as f64)
    }

    #[test]
    fn distributions_have_their_moments() {
        let mut g = Generator::new(1);
        let (mean, variance) = moments(&g.normal(&[100, 1000], 0.5, 2.0).unwrap());
        assert!((mean - 0.5).abs() < 0.03 && (variance - 4.0).abs() < 0.08);
        let (mean, variance) = moments(&g.kaiming_uniform(&[64, 1000], 64, 1.0).unwrap());
        assert!(mean.abs() < 2e-3 && (variance * 64.0 - 1.0).abs() < 0.02);
        let (_, variance) = moments(&g.xavier_normal(&[100, 300], 100, 300, 1.0).unwrap());
        assert!((variance * 200.0 - 1.0).abs() < 0.05);
        let (_, variance) = moments(&g.xavier_uniform(&[100, 300], 100, 300, 1.0).unwrap());
        assert!((variance * 200.0 - 1.0).abs() < 0.05);
    }

    #[test]
    fn values_are_fixed_by_the_seed() {
        // Literals: a change of these values would change every published run.
        let t = Generator::new(42).uniform(&[3], 0.0, 1.0).unwrap();
        assert_eq!(t.as_slice::<f32>().unwrap(), UNIFORM_42);
        assert_ne!(Generator::named(0, "a"), Generator::named(0, "b"));
        assert_eq!(permutation(8, 3, 0), PERMUTATION_3);
    }

    const UNIFORM_42: &[f32] = &[0.681_896_2, 0.950_275_4, 0.427_516_4];
    const PERMUTATION_3: [usize; 8] = [5, 7, 3, 2, 6, 1, 0, 4];

    #[test]
    fn an_order_holds_everything_once() {
        for n in [0, 1, 2, 257] {
            let mut order = permutation(n, 9, 4);
            order.sort_unstable();
            assert_eq!(order, (0..n).collect::<Vec<_>>());
        }
        assert_ne!(permutation(100, 9, 4), permutation(100, 9, 5));
    }
}
