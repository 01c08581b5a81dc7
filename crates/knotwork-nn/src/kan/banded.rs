//! Symmetric positive definite systems whose matrix has a narrow band, by Cholesky's factors in f64.

/// A symmetric matrix: row i holds the elements (i, i − band) … (i, i).
#[derive(Clone, Debug)]
pub(super) struct Banded {
    band: usize,
    rows: Vec<f64>,
}

impl Banded {
    pub fn zeros(n: usize, band: usize) -> Self {
        Self { band, rows: vec![0.0; n * (band + 1)] }
    }

    fn n(&self) -> usize {
        self.rows.len() / (self.band + 1)
    }

    fn at(&mut self, i: usize, j: usize) -> &mut f64 {
        &mut self.rows[i * (self.band + 1) + self.band - (i - j)]
    }

    fn get(&self, i: usize, j: usize) -> f64 {
        self.rows[i * (self.band + 1) + self.band - (i - j)]
    }

    /// Adds to (i, j) and (j, i), i ≥ j.
    pub fn add(&mut self, i: usize, j: usize, value: f64) {
        *self.at(i, j) += value;
    }

    /// The mean of the diagonal.
    pub fn scale(&self) -> f64 {
        let n = self.n();
        (0..n).map(|i| self.get(i, i)).sum::<f64>() / n.max(1) as f64
    }

    /// Turns the matrix into its factor L, A = L Lᵀ; none where it is not positive definite.
    pub fn factor(mut self) -> Option<Factor> {
        for i in 0..self.n() {
            for j in i.saturating_sub(self.band)..=i {
                let from = i.saturating_sub(self.band).max(j.saturating_sub(self.band));
                let sum: f64 = (from..j).map(|k| self.get(i, k) * self.get(j, k)).sum();
                let value = self.get(i, j) - sum;
                if i == j {
                    // The comparison also turns away what is no number.
                    if !(value > 0.0 && value.is_finite()) {
                        return None;
                    }
                    *self.at(i, i) = value.sqrt();
                } else {
                    *self.at(i, j) = value / self.get(j, j);
                }
            }
        }
        Some(Factor(self))
    }
}

/// The factor of a matrix.
#[derive(Clone, Debug)]
pub(super) struct Factor(Banded);

impl Factor {
    /// Replaces b by A⁻¹ b.
    pub fn solve(&self, b: &mut [f64]) {
        let (l, n) = (&self.0, b.len());
        for i in 0..n {
            let sum: f64 = (i.saturating_sub(l.band)..i).map(|k| l.get(i, k) * b[k]).sum();
            b[i] = (b[i] - sum) / l.get(i, i);
        }
        for i in (0..n).rev() {
            let sum: f64 = (i + 1..n.min(i + l.band + 1)).map(|k| l.get(k, i) * b[k]).sum();
            b[i] = (b[i] - sum) / l.get(i, i);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_is_solved_and_a_singular_one_is_said_to_be() {
        let (n, band) = (9, 3);
        let entry =
            |i: usize, j: usize| if i == j { 5.0 + i as f64 } else { 1.0 / (1.0 + (i + 2 * j) as f64) };
        let mut a = Banded::zeros(n, band);
        for i in 0..n {
            (i.saturating_sub(band)..=i).for_each(|j| a.add(i, j, entry(i, j)));
        }
        let want: Vec<f64> = (0..n).map(|i| (i as f64).cos()).collect();
        let mut b: Vec<f64> = (0..n)
            .map(|i| {
                (0..n).filter(|j| i.abs_diff(*j) <= band).map(|j| entry(i.max(j), i.min(j)) * want[j]).sum()
            })
            .collect();
        assert!((a.scale() - 9.0).abs() < 1e-12);
        a.factor().unwrap().solve(&mut b);
        for (got, want) in b.iter().zip(&want) {
            assert!((got - want).abs() < 1e-13, "{b:?}");
        }
        assert!(Banded::zeros(3, 1).factor().is_none());
        let mut nan = Banded::zeros(1, 0);
        nan.add(0, 0, f64::NAN);
        assert!(nan.factor().is_none());
    }
}
