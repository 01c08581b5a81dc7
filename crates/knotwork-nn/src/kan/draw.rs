//! Pictures of a network.

use knotwork_core::{Device, HostTensor};

use super::{
    Functions, Network,
    edge::{ends, spread},
};
use crate::{
    Result,
    plot::{Diagram, DiagramEdge, DiagramLayer, EdgePlot},
    symbolic::Expression,
};

/// Points of a curve in a box.
const POINTS: usize = 65;
/// Points of a curve over axes.
const FINE: usize = 401;
/// How fast importance grows with a score: pykan's β.
const BETA: f64 = 3.0;

impl Network {
    /// A picture of the network: on every edge its function, over the range of what it is given for samples x
    /// [rows, inputs]; the darker, the higher the edge's [score](super::Attribution), by tanh 3 s; formulas named.
    ///
    /// ```
    /// use knotwork_core::{Device, Graph};
    /// use knotwork_nn::{Generator, Kan};
    /// let network = Kan::new(&Graph::new(), "kan", [2, 3, 1]).network()?.named(&["mass", "speed"], &["energy"])?;
    /// let x = Generator::new(1).uniform(&[100, 2], -1.0, 1.0)?;
    /// let svg = network.diagram("Before training", &Device::cpu(), &x)?.to_svg()?;
    /// assert!(svg.contains(">mass<") && svg.contains("9 edges"));
    /// # Ok::<(), knotwork_nn::Error>(())
    /// ```
    ///
    /// # Errors
    /// Where x is no float [rows, inputs] of finite numbers.
    #[track_caller]
    pub fn diagram(&self, title: &str, device: &Device, x: &HostTensor) -> Result<Diagram> {
        let scores = self.attribute(device, x)?;
        let given = self.activations(device, x)?;
        let mut layers = Vec::with_capacity(self.depth());
        for (l, layer) in self.layers.iter().enumerate() {
            let values = given[l].to_f64();
            let mut edges = Vec::new();
            for input in 0..layer.inputs {
                let column = values.iter().skip(input).step_by(layer.inputs).copied();
                let range = ends(column);
                let rows: Vec<(f64, Vec<f64>)> =
                    spread(range, POINTS).map(|x| (x, layer.values(input, x))).collect();
                let there = (0..layer.sums).filter(|sum| layer.has_edge(input, *sum));
                edges.extend(there.map(|sum| DiagramEdge {
                    input,
                    output: sum,
                    points: rows.iter().map(|(x, y)| (*x, y[sum])).collect(),
                    importance: (BETA * scores.edges[l][layer.edge(input, sum)]).tanh(),
                    label: layer.formula(input, sum).map(|f| f.function.name().to_owned()),
                }));
            }
            layers.push(DiagramLayer {
                inputs: layer.inputs,
                sums: layer.sums,
                multiply: layer.multiply.clone(),
                edges,
            });
        }
        let inputs: Vec<&str> = self.inputs.iter().map(String::as_str).collect();
        let outputs: Vec<&str> = self.outputs.iter().map(String::as_str).collect();
        Ok(Diagram::new(title).layers(layers).names(&inputs, &outputs))
    }

    /// A picture of the function on one edge: over what it is given for samples x [rows, inputs] and their density, with the
    /// points of its grid and what lies outside; beside a formula the spline that it stands for.
    ///
    /// # Errors
    /// Where there is no such edge, or x is no float [rows, inputs] of finite numbers.
    #[track_caller]
    pub fn edge_plot(
        &self,
        device: &Device,
        x: &HostTensor,
        layer: usize,
        input: usize,
        sum: usize,
    ) -> Result<EdgePlot> {
        let found = self.layer_of(layer, input, sum)?;
        let given = self.activations(device, x)?[layer].to_f64();
        let column: Vec<f64> = given.iter().skip(input).step_by(found.inputs).copied().collect();
        let (low, high) = found.range(input);
        let range = ends(column.iter().copied().chain([low, high]));
        let curve = |network: &Self| -> Result<Vec<(f64, f64)>> {
            let x: Vec<f64> = spread(range, FINE).collect();
            let y = network.edge_values(layer, input, sum, &x)?;
            Ok(x.into_iter().zip(y).collect())
        };
        let mut plot = EdgePlot::new(&format!("Layer {layer}, {input} to {sum}")).samples(&column);
        let functions = found.functions_of(found.edge(input, sum));
        plot = match functions.and_then(|f| f.knots(input)) {
            Some(knots) => plot.knots(knots.grid()),
            // Wavelets go where training takes them.
            None if matches!(functions, Some(Functions::Wavelet(..))) => plot,
            None => plot.range(low, high),
        };
        let Some(formula) = found.formula(input, sum) else { return Ok(plot.curve(&curve(self)?)) };
        let spline = self.unfix_symbolic(layer, input, sum)?;
        let text = formula.of(&Expression::variable("x")).rounded(3).to_string();
        let r2 = r2(
            &spline.edge_values(layer, input, sum, &column)?,
            &self.edge_values(layer, input, sum, &column)?,
        );
        Ok(plot.curve(&curve(&spline)?).fit(&text, &curve(self)?, r2))
    }
}

/// The part of y's variance that a fit explains; NaN where y is constant.
fn r2(y: &[f64], fit: &[f64]) -> f64 {
    let mean = y.iter().sum::<f64>() / y.len() as f64;
    let all: f64 = y.iter().map(|y| (y - mean).powi(2)).sum();
    let left: f64 = y.iter().zip(fit).map(|(y, f)| (y - f).powi(2)).sum();
    if all > 0.0 { 1.0 - left / all } else { f64::NAN }
}
