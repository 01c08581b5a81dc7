//! Functions with their numbers, for all edges of a layer or some.

use knotwork_core::ops::Wavelet;

use super::Functions;

/// Functions with their coefficients, for all edges of a layer or some.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Branch {
    pub functions: Functions,
    /// [inputs, n, sums].
    pub coef: Vec<f64>,
    /// Where wavelets are; none of functions that all edges of an input share.
    pub places: Option<Places>,
    /// [inputs, sums]: which edges have these functions; empty for all.
    pub edges: Vec<bool>,
}

/// Where the wavelets of edges are: ψ((x − translation) / e^log_scale), all [inputs, sums].
///
/// A scale is kept as its logarithm: a step of training could take the scale itself to 0 and beyond, where it has no meaning.
/// Nothing is lost, because a negative scale is a positive one with the weight's sign turned (dog) or not (the others).
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Places {
    pub log_scale: Vec<f64>,
    pub translation: Vec<f64>,
}

impl Branch {
    /// Whether an edge, counted input by input, has these functions.
    pub fn has(&self, edge: usize) -> bool {
        self.edges.get(edge).copied().unwrap_or(self.edges.is_empty())
    }

    /// Adds what the functions of an input's edges are at x: Σ_m c_m φ_m(x) for every sum.
    pub fn add_values(&self, input: usize, x: f64, out: &mut [f64]) {
        let sums = out.len();
        let edge = |sum: usize| input * sums + sum;
        if let (Functions::Wavelet(wavelet, _), Some(places)) = (&self.functions, &self.places) {
            for (o, out) in out.iter_mut().enumerate().filter(|(o, _)| self.has(edge(*o))) {
                *out += self.coef[edge(o)] * places.value(*wavelet, edge(o), x);
            }
            return;
        }
        let functions = self.functions.evaluate(input, x, 0);
        let n = functions.len();
        for (m, value) in functions.iter().enumerate() {
            // A function that is 0 adds nothing, but NaN must stay.
            if *value == 0.0 {
                continue;
            }
            for (o, out) in out.iter_mut().enumerate().filter(|(o, _)| self.has(edge(*o))) {
                *out += self.coef[(input * n + m) * sums + o] * value;
            }
        }
    }

    /// Those of some inputs and sums, of `old` sums.
    pub fn keep(&mut self, old: usize, inputs: &[usize], sums: &[usize]) {
        self.coef = gathered(&self.coef, self.functions.count(), old, inputs, sums);
        self.functions = self.functions.of_inputs(inputs);
        if let Some(Places { log_scale, translation }) = &mut self.places {
            for values in [log_scale, translation] {
                *values = gathered(values, 1, old, inputs, sums);
            }
        }
        if !self.edges.is_empty() {
            let edges = inputs.iter().flat_map(|i| sums.iter().map(move |o| i * old + o));
            self.edges = edges.map(|e| self.edges[e]).collect();
        }
    }
}

impl Places {
    /// Scales of 1 at 0: what is overwritten by a file's numbers.
    pub fn zeros(edges: usize) -> Self {
        Self { log_scale: vec![0.0; edges], translation: vec![0.0; edges] }
    }

    /// An edge's wavelet at x.
    fn value(&self, wavelet: Wavelet, edge: usize, x: f64) -> f64 {
        wavelet.evaluate((x - self.translation[edge]) / self.log_scale[edge].exp(), 0)
    }
}

/// The elements of [inputs, n, sums] for some inputs and sums.
pub(super) fn gathered(values: &[f64], n: usize, old: usize, inputs: &[usize], sums: &[usize]) -> Vec<f64> {
    let at = |i: usize, m: usize, o: usize| values[(i * n + m) * old + o];
    let rows = inputs.iter().flat_map(|i| (0..n).map(move |m| (*i, m)));
    rows.flat_map(|(i, m)| sums.iter().map(move |o| at(i, m, *o))).collect()
}
