//! Units: what turns a network's data into what its layers are given, and its last layer's numbers into outputs.

use knotwork_core::Tensor;

use super::{Network, edge::ends, layer::host};
use crate::{Error, Result, symbolic::Expression};

/// Shift and scale of one input or output: x' = (x − shift) / scale.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Unit {
    /// What becomes 0.
    pub shift: f64,
    /// How far from that becomes 1; above 0.
    pub scale: f64,
}

impl Unit {
    /// The unit in which samples lie in [−1, 1]; 1 around them where they are all one number.
    ///
    /// ```
    /// use knotwork_nn::kan::Unit;
    /// let unit = Unit::of_range([3.0, 1.0, 2.0]);
    /// assert_eq!((unit.inwards(1.0), unit.inwards(3.0), unit.outwards(0.5)), (-1.0, 1.0, 2.5));
    /// ```
    #[must_use]
    pub fn of_range(samples: impl IntoIterator<Item = f64>) -> Self {
        let (low, high) = ends(samples);
        Self { shift: 0.5 * low + 0.5 * high, scale: 0.5 * high - 0.5 * low }.usable()
    }

    /// The unit in which samples have mean 0 and standard deviation 1; 1 around them where they are all one number.
    #[must_use]
    pub fn of_deviation(samples: &[f64]) -> Self {
        let n = samples.len().max(1) as f64;
        let mean = samples.iter().sum::<f64>() / n;
        let variance = samples.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
        Self { shift: mean, scale: variance.sqrt() }.usable()
    }

    fn usable(self) -> Self {
        let shift = if self.shift.is_finite() { self.shift } else { 0.0 };
        Self { shift, scale: if self.scale.is_normal() && self.scale > 0.0 { self.scale } else { 1.0 } }
    }

    /// (x − shift) / scale.
    #[must_use]
    pub fn inwards(&self, x: f64) -> f64 {
        (x - self.shift) / self.scale
    }

    /// shift + scale x.
    #[must_use]
    pub fn outwards(&self, x: f64) -> f64 {
        self.shift + self.scale * x
    }
}

impl Network {
    /// The network over data in other units: its layers are given (x − shift) / scale of each input, and what the last gives is
    /// turned back by each output's unit. Grids, penalties and scores are those of the layers' own numbers; predictions,
    /// errors and formulas are in the data's units.
    ///
    /// ```
    /// use knotwork_core::Graph;
    /// use knotwork_nn::{Kan, kan::Unit};
    /// let network = Kan::new(&Graph::new(), "kan", [1, 1]).network()?;
    /// let (celsius, percent) = (Unit { shift: 20.0, scale: 50.0 }, Unit { shift: 50.0, scale: 50.0 });
    /// let inner = network.evaluate(&[0.5])?[0];
    /// let scaled = network.in_units(&[celsius], &[percent])?;
    /// assert_eq!(scaled.evaluate(&[45.0])?[0], 50.0 + 50.0 * inner);
    /// # Ok::<(), knotwork_nn::Error>(())
    /// ```
    ///
    /// # Errors
    /// Where there is not one unit an input and an output, or a scale is not above 0 and finite.
    #[track_caller]
    pub fn in_units(mut self, inputs: &[Unit], outputs: &[Unit]) -> Result<Self> {
        let widths = self.widths();
        for (what, units, count) in [("input", inputs, widths.first()), ("output", outputs, widths.last())] {
            let count = count.copied().unwrap_or(0);
            if units.len() != count {
                return Err(Error::setting(format!(
                    "Network: {} units of {what}s for {count} {what}s",
                    units.len()
                )));
            }
            if let Some(at) = units.iter().position(|u| !(u.scale > 0.0 && (u.scale + u.shift).is_finite())) {
                let Unit { shift, scale } = units[at];
                return Err(Error::setting(format!(
                    "Network: {what} {at} has shift {shift} and scale {scale}; they must be finite, and the scale above 0"
                )));
            }
        }
        self.units = [inputs.to_vec(), outputs.to_vec()];
        Ok(self)
    }

    /// The inputs' units; empty where the layers are given the data as it is.
    #[must_use]
    pub fn input_units(&self) -> &[Unit] {
        &self.units[0]
    }

    /// The outputs' units; empty where the last layer's numbers are the outputs.
    #[must_use]
    pub fn output_units(&self) -> &[Unit] {
        &self.units[1]
    }

    /// A row of data as the first layer is given it.
    pub(super) fn inwards(&self, row: &[f64]) -> Vec<f64> {
        each(row, self.input_units(), Unit::inwards)
    }

    /// The last layer's numbers as outputs.
    pub(super) fn outwards(&self, row: &[f64]) -> Vec<f64> {
        each(row, self.output_units(), Unit::outwards)
    }

    /// A row of outputs as the last layer's numbers.
    pub(super) fn targets(&self, row: &[f64]) -> Vec<f64> {
        each(row, self.output_units(), Unit::inwards)
    }

    /// Outputs as formulas, in the data's units.
    pub(super) fn outputs_as_formulas(&self, last: Vec<Expression>) -> Vec<Expression> {
        let output = |(i, y): (usize, Expression)| match self.units[1].get(i) {
            Some(u) => (Expression::from(u.scale) * y + u.shift.into()).simplified(),
            None => y,
        };
        last.into_iter().enumerate().map(output).collect()
    }
}

/// Every element of a row by its unit; as it is where there are none.
fn each(row: &[f64], units: &[Unit], turn: fn(&Unit, f64) -> f64) -> Vec<f64> {
    row.iter().enumerate().map(|(i, x)| units.get(i).map_or(*x, |unit| turn(unit, *x))).collect()
}

/// A number of every unit, as a row of x's graph.
fn row(x: &Tensor, units: &[Unit], of: fn(&Unit) -> f64) -> Result<Tensor> {
    let values: Vec<f64> = units.iter().map(of).collect();
    Ok(x.graph().tensor(host(&values, &[units.len()], x.dtype())?)?)
}

/// x as the first layer is given it.
pub(super) fn inwards(x: &Tensor, units: &[Unit]) -> Result<Tensor> {
    if units.is_empty() {
        return Ok(x.clone());
    }
    Ok(x.sub(&row(x, units, |u| u.shift)?)?.mul(&row(x, units, |u| 1.0 / u.scale)?)?)
}

/// The last layer's numbers as outputs.
pub(super) fn outwards(y: &Tensor, units: &[Unit]) -> Result<Tensor> {
    if units.is_empty() {
        return Ok(y.clone());
    }
    Ok(y.mul(&row(y, units, |u| u.scale)?)?.add(&row(y, units, |u| u.shift)?)?)
}
