//! The direction of L-BFGS from scalars alone: d = Σ_k δ_k b_k over b = (s_1 … s_m, y_1 … y_m, g), where all that is needed of
//! the vectors are their products (Chen, Wang and Zhou, "Large-scale L-BFGS using MapReduce", 2014).

/// The products of steps s and changes of the gradient y, by their slots, and with the gradient.
#[derive(Clone, Debug)]
pub(super) struct History {
    slots: usize,
    /// Slots in use, the oldest first.
    order: Vec<usize>,
    /// [2 slots, 2 slots]: b_i · b_j, s before y.
    products: Vec<f64>,
    /// b_i · g
    gradient: Vec<f64>,
    /// g · g
    pub square: f64,
}

/// What the vectors are multiplied with.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Direction {
    /// Of s, then y, by slots.
    pub history: Vec<f64>,
    pub gradient: f64,
}

/// The smallest y · s, over the length of both, of a pair that is kept: the function must have curved upwards.
const CURVED: f64 = 1e-10;

impl History {
    pub fn new(slots: usize) -> Self {
        Self {
            slots,
            order: Vec::new(),
            products: vec![0.0; 4 * slots * slots],
            gradient: vec![0.0; 2 * slots],
            square: 0.0,
        }
    }

    pub fn forget(&mut self) {
        self.order.clear();
    }

    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// The slot that the next pair overwrites: a free one, else the oldest.
    pub fn next(&self) -> usize {
        let free = (0..self.slots).find(|slot| !self.order.contains(slot));
        free.or(self.order.first().copied()).unwrap_or(0)
    }

    /// Takes the products of all vectors with the pair in `slot` and with the new gradient. Whether the pair is kept.
    pub fn learn(&mut self, slot: usize, s: &[f64], y: &[f64], gradient: &[f64], square: f64) -> bool {
        let wide = 2 * self.slots;
        for (row, products) in [(slot, s), (slot + self.slots, y)] {
            for (k, &product) in products.iter().enumerate().take(wide) {
                self.products[row * wide + k] = product;
                self.products[k * wide + row] = product;
            }
        }
        self.gradient.copy_from_slice(&gradient[..wide]);
        self.square = square;
        self.order.retain(|&kept| kept != slot);
        let (ss, yy, sy) = (s[slot], y[slot + self.slots], s[slot + self.slots]);
        let kept = sy > CURVED * (ss * yy).sqrt() && sy.is_finite() && yy > 0.0;
        if kept {
            self.order.push(slot);
        }
        kept
    }

    /// The two loops. Only the products of slots in use are read.
    pub fn direction(&self) -> Direction {
        let (wide, last) = (2 * self.slots, 2 * self.slots);
        let mut delta = vec![0.0; wide + 1];
        delta[last] = -1.0;
        let with = |delta: &[f64], row: usize| -> f64 {
            let pairs = self.order.iter().flat_map(|&slot| [slot, slot + self.slots]);
            pairs.map(|k| delta[k] * self.products[row * wide + k]).sum::<f64>()
                + delta[last] * self.gradient[row]
        };
        let product = |a: usize, b: usize| self.products[a * wide + b];
        let mut alpha = vec![0.0; self.slots];
        for &slot in self.order.iter().rev() {
            let (s, y) = (slot, slot + self.slots);
            alpha[slot] = with(&delta, s) / product(s, y);
            delta[y] -= alpha[slot];
        }
        if let Some(&slot) = self.order.last() {
            let (s, y) = (slot, slot + self.slots);
            let scale = product(s, y) / product(y, y);
            delta.iter_mut().for_each(|d| *d *= scale);
        }
        for &slot in &self.order {
            let (s, y) = (slot, slot + self.slots);
            let beta = with(&delta, y) / product(s, y);
            delta[s] += alpha[slot] - beta;
        }
        let gradient = delta[last];
        delta.truncate(wide);
        Direction { history: delta, gradient }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dot(a: &[f64], b: &[f64]) -> f64 {
        a.iter().zip(b).map(|(a, b)| a * b).sum()
    }

    /// The two loops over the vectors themselves.
    fn plain(pairs: &[(Vec<f64>, Vec<f64>)], g: &[f64]) -> Vec<f64> {
        let mut q: Vec<f64> = g.iter().map(|g| -g).collect();
        let mut alphas = Vec::new();
        for (s, y) in pairs.iter().rev() {
            let alpha = dot(s, &q) / dot(s, y);
            q.iter_mut().zip(y).for_each(|(q, y)| *q -= alpha * y);
            alphas.push(alpha);
        }
        if let Some((s, y)) = pairs.last() {
            let scale = dot(s, y) / dot(y, y);
            q.iter_mut().for_each(|q| *q *= scale);
        }
        for ((s, y), alpha) in pairs.iter().zip(alphas.iter().rev()) {
            let beta = dot(y, &q) / dot(s, y);
            q.iter_mut().zip(s).for_each(|(q, s)| *q += (alpha - beta) * s);
        }
        q
    }

    #[test]
    fn scalars_give_what_the_vectors_give() {
        let mut state = 5u64;
        let mut random = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as f64 / f64::from(1u32 << 30) - 1.0
        };
        let (slots, n) = (3, 7);
        let mut history = History::new(slots);
        let mut vectors = vec![vec![0.0; n]; 2 * slots];
        let mut pairs: Vec<(Vec<f64>, Vec<f64>)> = Vec::new();
        for round in 0..8 {
            let s: Vec<f64> = (0..n).map(|_| random()).collect();
            // Curved upwards, but for one pair that must be left out.
            let sign = if round == 4 { -1.0 } else { 1.0 };
            let y: Vec<f64> = s.iter().enumerate().map(|(k, s)| sign * s * (1.0 + k as f64)).collect();
            let g: Vec<f64> = (0..n).map(|_| random()).collect();
            let slot = history.next();
            (vectors[slot], vectors[slot + slots]) = (s.clone(), y.clone());
            let with = |v: &[f64]| -> Vec<f64> { vectors.iter().map(|b| dot(b, v)).collect() };
            let kept = history.learn(slot, &with(&s), &with(&y), &with(&g), dot(&g, &g));
            assert_eq!(kept, round != 4);
            if pairs.len() == slots {
                pairs.remove(0);
            }
            if kept {
                pairs.push((s, y));
            }
            let found = history.direction();
            let mut got: Vec<f64> = g.iter().map(|g| found.gradient * g).collect();
            for (d, b) in found.history.iter().zip(&vectors) {
                got.iter_mut().zip(b).for_each(|(got, b)| *got += d * b);
            }
            for (got, want) in got.iter().zip(plain(&pairs, &g)) {
                assert!((got - want).abs() < 1e-9 * want.abs().max(1.0), "round {round}: {got}, not {want}");
            }
        }
        history.forget();
        assert_eq!(history.direction(), Direction { history: vec![0.0; 6], gradient: -1.0 });
    }
}
