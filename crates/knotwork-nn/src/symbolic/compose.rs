//! Formulas of whole networks from the functions of their edges.

use knotwork_core::Site;

use super::{Affine, Expression, SymbolicError};

/// A layer whose every edge is a known function: output o is Σ_i φ_oi(x_i) + bias_o.
///
/// ```
/// use knotwork_nn::symbolic::{Affine, LayerFormula, Library, formulas};
/// let library = Library::standard();
/// let edge = |name: &str, a: f64| -> Result<_, knotwork_nn::symbolic::SymbolicError> {
///     Ok(Some(Affine { function: library.get(name)?, a, b: 0.0, c: 1.0, d: 0.0 }))
/// };
/// let first = LayerFormula::new(vec![vec![edge("sin", 3.0)?, edge("x^2", 1.0)?]]);
/// let second = LayerFormula::new(vec![vec![edge("exp", 1.0)?]]);
/// let out = formulas(&["x1", "x2"], &[first, second])?;
/// assert_eq!(out[0].to_string(), "exp(sin(3*x1) + x2^2)");
/// # Ok::<(), knotwork_nn::symbolic::SymbolicError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LayerFormula {
    /// By output, then by input; `None` where there is no edge.
    pub edges: Vec<Vec<Option<Affine>>>,
    /// By output; empty where there is none.
    pub bias: Vec<f64>,
}

impl LayerFormula {
    /// A layer without a bias.
    #[must_use]
    pub fn new(edges: Vec<Vec<Option<Affine>>>) -> Self {
        Self { edges, bias: Vec::new() }
    }

    /// The outputs as formulas of the inputs, simplified.
    ///
    /// Products of outputs (multiplication nodes) can be formed between layers, with `*`.
    ///
    /// # Errors
    ///
    /// [`SymbolicError::Edges`] where an output has more or fewer edges than there are inputs, and
    /// [`SymbolicError::Setting`] where there are biases, but not one an output.
    #[track_caller]
    pub fn of(&self, inputs: &[Expression]) -> Result<Vec<Expression>, SymbolicError> {
        self.layer(0, inputs, Site::here())
    }

    fn layer(
        &self,
        layer: usize,
        inputs: &[Expression],
        site: Site,
    ) -> Result<Vec<Expression>, SymbolicError> {
        if !self.bias.is_empty() && self.bias.len() != self.edges.len() {
            let what = format!("layer {layer}: {} biases for {} outputs", self.bias.len(), self.edges.len());
            return Err(SymbolicError::Setting { what, site });
        }
        let output = |(output, row): (usize, &Vec<Option<Affine>>)| {
            if row.len() != inputs.len() {
                return Err(SymbolicError::Edges {
                    layer,
                    output,
                    got: row.len(),
                    expected: inputs.len(),
                    site,
                });
            }
            let edges = row.iter().zip(inputs).filter_map(|(edge, x)| edge.as_ref().map(|e| e.of(x)));
            let bias = self.bias.get(output).map(|b| Expression::Constant(*b));
            Ok(Expression::Sum(edges.chain(bias).collect()).simplified())
        };
        self.edges.iter().enumerate().map(output).collect()
    }
}

/// The outputs of a network as formulas of its inputs. Every path through the network is written out: the formulas of wide and
/// deep networks that were not pruned are long.
///
/// # Errors
///
/// [`SymbolicError::Edges`] with the layer and the output where a layer does not fit the one before, and
/// [`SymbolicError::Setting`] where biases are not one an output.
#[track_caller]
pub fn formulas(inputs: &[&str], layers: &[LayerFormula]) -> Result<Vec<Expression>, SymbolicError> {
    let site = Site::here();
    let mut now: Vec<Expression> = inputs.iter().map(|i| Expression::variable(*i)).collect();
    for (l, layer) in layers.iter().enumerate() {
        now = layer.layer(l, &now, site)?;
    }
    Ok(now)
}

#[cfg(test)]
mod tests {
    use super::{super::Library, *};

    fn edge(name: &str, [a, b, c, d]: [f64; 4]) -> Option<Affine> {
        Some(Affine { function: Library::standard().get(name).unwrap(), a, b, c, d })
    }

    #[test]
    fn formulas_are_the_layers_one_after_another() {
        let layers = [
            LayerFormula {
                edges: vec![
                    vec![edge("sin", [3.0, 0.4, 1.5, 0.1]), edge("x^2", [-2.0, 0.5, 0.3, 0.0])],
                    vec![None, edge("tanh", [-1.0, 0.2, 2.0, -0.3])],
                    vec![edge("gaussian", [1.0, 0.3, 0.7, 0.0]), edge("0", [1.0, 0.0, 1.0, 0.25])],
                ],
                bias: vec![0.5, -0.25, 0.0],
            },
            LayerFormula::new(vec![
                vec![edge("exp", [0.5, 0.1, 2.0, -1.0]), edge("x", [3.0, 1.0, 0.5, 0.2]), None],
                vec![
                    edge("sigmoid", [-2.0, 0.1, 2.0, 0.0]),
                    edge("arctan", [1.0, 7.0, 0.5, 0.2]),
                    edge("cos", [1.0, 9.0, -2.0, 0.0]),
                ],
            ]),
        ];
        let formulas = formulas(&["x1", "x2"], &layers).unwrap();
        for i in 0..50 {
            let x = [f64::from(i) / 25.0 - 1.0, f64::from((i * 17) % 50) / 25.0 - 1.0];
            let mut now = x.to_vec();
            for layer in &layers {
                let bias = |o: usize| layer.bias.get(o).copied().unwrap_or(0.0);
                let edges = |row: &[Option<Affine>]| -> f64 {
                    row.iter().zip(&now).map(|(e, x)| e.as_ref().map_or(0.0, |e| e.value(*x))).sum()
                };
                now = layer.edges.iter().enumerate().map(|(o, row)| edges(row) + bias(o)).collect();
            }
            for (formula, want) in formulas.iter().zip(&now) {
                let got = formula.evaluate(&[("x1", x[0]), ("x2", x[1])]).unwrap();
                assert!((got - want).abs() < 1e-12 * want.abs().max(1.0), "{formula} = {got}, not {want}");
            }
        }
        // No edge at all: the bias.
        let empty = LayerFormula { edges: vec![vec![None]], bias: vec![0.75] };
        assert_eq!(empty.of(&[Expression::variable("x")]).unwrap(), [Expression::Constant(0.75)]);
    }

    #[test]
    fn layers_that_do_not_fit() {
        let layers = [
            LayerFormula::new(vec![vec![edge("x", [1.0, 0.0, 1.0, 0.0])]]),
            LayerFormula::new(vec![vec![None], vec![None, None]]),
        ];
        let e = formulas(&["x"], &layers).unwrap_err();
        assert!(e.to_string().starts_with("layer 1, output 1: 2 edges for 1 inputs (at "), "{e}");
        assert!(e.to_string().contains("compose.rs:"), "{e}");
        let biased = LayerFormula { edges: vec![vec![None]], bias: vec![1.0, 2.0] };
        let e = biased.of(&[Expression::variable("x")]).unwrap_err();
        assert!(e.to_string().starts_with("layer 0: 2 biases for 1 outputs"), "{e}");
    }
}
