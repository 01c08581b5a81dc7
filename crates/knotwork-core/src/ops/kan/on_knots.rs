//! Splines whose knots are data: each input has its own, anywhere.

use std::sync::Arc;

use super::{Layer, MAX_ORDER, Outside, outside::Ends};
use crate::{
    HostTensor, Result, Site,
    error::OpError,
    graph::{Constant, Kind, Leaf, Tensor},
};

/// The knots of every input of a KAN layer, [I, G + 2k + 1]: row i holds t_{−k} … t_{G+k} of input i, which do not fall.
///
/// Function m of an input has the knots t_{m−k} … t_{m+1}, m = 0 … G + k − 1, as in [`BSpline`](super::BSpline), whose
/// knots are one row of even distances. The functions are those of Cox and de Boor's recursion, written out at
/// [`BSpline::evaluate`](super::BSpline::evaluate), with 0/0 = 0 where knots coincide. The grid of an input ends at a = t_0 and
/// b = t_G; [`Outside`] says what is beyond. Where b coincides with the outermost knot the functions are 0 at b itself
/// under [`Outside::Zero`], because intervals are open on the right; the other policies take b to the last interval.
///
/// Knots are constants of every gradient: none flows to them. They may be any tensor, so that a running program can be
/// given new ones: an input, state, or a constant. The numbers of a constant are checked; those of others are known
/// to the device alone. There a row that falls or holds no number gives its own input results without meaning, NaN where no
/// interval holds x; other inputs do not notice.
///
/// ```
/// use knotwork_core::{Device, Graph, HostTensor, ops::OnKnots};
/// let g = Graph::new();
/// // Two intervals, [0, 1] and [1, 3], of order 1: hats at 0, 1 and 3.
/// let t = g.tensor(HostTensor::new(&[-1.0f32, 0.0, 1.0, 3.0, 4.0], [1, 5])?)?;
/// let knots = OnKnots::new(&t, 1)?;
/// assert_eq!((knots.grid(), knots.count()), (2, 3));
/// let x = g.tensor(HostTensor::new(&[0.5f32, 2.0], [2, 1])?)?;
/// let coef = g.tensor(HostTensor::new(&[10.0f32, 20.0, 40.0], [1, 1, 3])?)?;
/// let y = x.kan_layer_on_knots(&coef, None, None, &knots)?;
/// let none: [(&str, HostTensor); 0] = [];
/// let out = Device::cpu().compile(&g, &[&y], &[])?.run(none)?.wait()?;
/// assert_eq!(out[0].as_slice::<f32>()?, [15.0, 30.0]);
/// # Ok::<(), knotwork_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct OnKnots {
    knots: Tensor,
    order: usize,
    grid: usize,
    outside: Outside,
}

impl OnKnots {
    /// Splines of that order over `knots` [I, G + 2k + 1]; G follows from the shape.
    ///
    /// # Errors
    /// Where the order is above [`MAX_ORDER`], the tensor is no matrix of floats or its rows are shorter than 2k + 2, which is
    /// one interval; and where it is a constant of which a number is not finite or below the one before it, or a row has
    /// no interval that is not empty between t_0 and t_G.
    #[track_caller]
    pub fn new(knots: &Tensor, order: usize) -> Result<Self> {
        let site = Site::here();
        let refuse = |message: String| {
            let inputs = vec![format!("knots {}", knots.meta())];
            Err(OpError { op: "OnKnots".into(), inputs, message, site }.into())
        };
        if order > MAX_ORDER {
            return refuse(format!("order is {order}; it must be at most {MAX_ORDER}"));
        }
        if !knots.dtype().is_float() {
            return refuse(format!("knots are {}; they must be floats", knots.dtype()));
        }
        let [_, wide] = knots.shape().dims() else {
            return refuse(format!(
                "knots have {} dimensions; they must have 2, [I, G + 2k + 1]",
                knots.rank()
            ));
        };
        let Some(wide) = wide.fixed() else {
            return refuse(format!("dimension 1 of knots is {wide}; it must be a number, G + 2k + 1"));
        };
        let Some(grid) = wide.checked_sub(2 * order + 1).filter(|&g| (1..=1 << 20).contains(&g)) else {
            return refuse(format!(
                "dimension 1 of knots is {wide}; it must be G + 2k + 1 with k = {order} and G from 1 to {}",
                1 << 20
            ));
        };
        if let Some(values) = constant(knots)
            && let Err(message) = rising(&values.to_f64(), wide, order)
        {
            return refuse(message);
        }
        Ok(Self { knots: knots.clone(), order, grid, outside: Outside::Zero })
    }

    /// With another policy beyond the grid.
    #[must_use]
    pub fn outside(mut self, outside: Outside) -> Self {
        self.outside = outside;
        self
    }

    /// The knots.
    #[must_use]
    pub fn tensor(&self) -> &Tensor {
        &self.knots
    }

    /// The degree of the pieces, k.
    #[must_use]
    pub fn order(&self) -> usize {
        self.order
    }

    /// The number of intervals of each input, G.
    #[must_use]
    pub fn grid(&self) -> usize {
        self.grid
    }

    /// The number of functions of each input, G + k.
    #[must_use]
    pub fn count(&self) -> usize {
        self.grid + self.order
    }

    /// What is beyond the grid.
    #[must_use]
    pub fn policy(&self) -> Outside {
        self.outside
    }

    /// The ends of the grid of every input, a and b, each `[I]`.
    ///
    /// # Errors
    /// None today.
    #[track_caller]
    pub fn ends(&self) -> Result<(Tensor, Tensor)> {
        let column = |j: usize| {
            let inputs = self.knots.shape().dims()[0].clone();
            self.knots.detach()?.slice(1, j, j + 1)?.reshape([inputs])
        };
        Ok((column(self.order)?, column(self.order + self.grid)?))
    }

    /// The derivative of order `d` at x of every function over one row of knots t_{−k} … t_{G+k}, in f64 on the host, as
    /// [`BSpline::evaluate`](super::BSpline::evaluate) has it: no function at all where there are not 2k + 2 knots, NaN where
    /// they fall.
    ///
    /// ```
    /// use knotwork_core::ops::{OnKnots, Outside};
    /// let hats = OnKnots::evaluate(&[-1.0, 0.0, 1.0, 3.0, 4.0], 1, Outside::Zero, 2.0, 0);
    /// assert_eq!(hats, [0.0, 0.5, 0.5]);
    /// ```
    #[must_use]
    pub fn evaluate(knots: &[f64], order: usize, outside: Outside, x: f64, d: usize) -> Vec<f64> {
        if knots.len() < 2 * order + 2 {
            return Vec::new();
        }
        super::spline::evaluate(knots, order, outside, x, d)
    }

    /// The ends between which functions are evaluated: the kernels take b itself to the last interval.
    pub(super) fn bounds(&self) -> Result<Ends> {
        let (low, high) = self.ends()?;
        Ok(Ends { low, last: high.clone(), high })
    }
}

/// The numbers of a constant.
fn constant(tensor: &Tensor) -> Option<Arc<HostTensor>> {
    match &tensor.graph().node(tensor.id().node).kind {
        Kind::Leaf(Leaf::Constant(Constant::Tensor(t))) => Some(t.clone()),
        _ => None,
    }
}

/// Whether rows of so many knots can be those of splines.
fn rising(knots: &[f64], wide: usize, order: usize) -> Result<(), String> {
    for (i, row) in knots.chunks_exact(wide).enumerate() {
        if let Some(j) = row.iter().position(|t| !t.is_finite()) {
            return Err(format!("knot {j} of input {i} is {}; it must be finite", row[j]));
        }
        if let Some(j) = (1..wide).find(|&j| row[j] < row[j - 1]) {
            let (a, b) = (row[j - 1], row[j]);
            return Err(format!("knot {j} of input {i} is {b}; it must not be below the one before, {a}"));
        }
        let (a, b) = (row[order], row[wide - 1 - order]);
        if a == b {
            return Err(format!(
                "the grid of input {i} is empty: knots {order} to {} are {a}",
                wide - 1 - order
            ));
        }
    }
    Ok(())
}

impl Tensor {
    /// A [KAN layer](Self::kan_layer) whose splines have knots of their own for each input:
    /// y_o = Σ_i W_oi silu(x_i) + Σ_i Σ_m C_oim B_im(x_i) + bias_o, B_im over row i of the [`OnKnots`].
    ///
    /// Self is x `[..., I]`; `coef` C `[O, I, G + k]`; `base_weight` W `[O, I]` and `bias` `[O]` may be left out. The
    /// result is `[..., O]`. Gradients to x, C, W and bias exist at any order (with `base_weight` and
    /// [`Outside::Zero`] up to the sixth derivative), the knots have none. A point costs a search in its row of knots more
    /// than on a uniform grid (log₂ of its length on a GPU; on the CPU short rows are compared with many points at a time); where knots are even, [`kan_layer`](Self::kan_layer) is faster and has more kernels.
    ///
    /// Sources: Liu et al. 2024; de Boor, "A Practical Guide to Splines".
    ///
    /// # Errors
    /// Where a rank or a dimension disagrees, or the types are not one float type; the message names all shapes.
    #[track_caller]
    pub fn kan_layer_on_knots(
        &self,
        coef: &Self,
        base_weight: Option<&Self>,
        bias: Option<&Self>,
        knots: &OnKnots,
    ) -> Result<Self> {
        Layer::on_knots(self, coef, base_weight, bias, knots, Site::here())?.in_user_order()
    }

    /// [`kan_layer_on_knots`](Self::kan_layer_on_knots) over parameters as kernels read them: `coef` [I, G + k, O],
    /// `base_weight` [I, O].
    ///
    /// # Errors
    /// As of `kan_layer_on_knots`.
    #[track_caller]
    pub fn kan_layer_on_knots_native(
        &self,
        coef: &Self,
        base_weight: Option<&Self>,
        bias: Option<&Self>,
        knots: &OnKnots,
    ) -> Result<Self> {
        Layer::on_knots(self, coef, base_weight, bias, knots, Site::here())?.in_kernel_order()
    }

    /// The fraction of the samples x `[..., I]` of each input that lie outside [low, high], or are no numbers: `[I]`.
    ///
    /// `low` and `high` are numbers, or tensors `[I]`: the [ends](super::BSpline::ends) of a grid, or those of [`OnKnots`].
    /// Of no samples at all it is NaN. It has no gradient.
    ///
    /// ```
    /// use knotwork_core::{Device, Graph, HostTensor};
    /// let g = Graph::new();
    /// let x = g.tensor(HostTensor::new(&[-2.0f32, 0.0, 0.5, 0.0, 1.0, 0.0, f32::NAN, 0.0], [4, 2])?)?;
    /// let out = x.out_of_range(-1.0, 1.0)?;
    /// let none: [(&str, HostTensor); 0] = [];
    /// let out = Device::cpu().compile(&g, &[&out], &[])?.run(none)?.wait()?;
    /// assert_eq!(out[0].as_slice::<f32>()?, [0.5, 0.0]);
    /// # Ok::<(), knotwork_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Where x is no float or has no dimension, or the ends have another shape.
    #[track_caller]
    pub fn out_of_range(&self, low: impl crate::Operand, high: impl crate::Operand) -> Result<Self> {
        let site = Site::here();
        let Some(last) = self.rank().checked_sub(1).filter(|_| self.dtype().is_float()) else {
            let message = "x must be floats […, I]".to_owned();
            let inputs = vec![format!("x {}", self.meta())];
            return Err(OpError { op: "out_of_range".into(), inputs, message, site }.into());
        };
        let x = self.detach()?;
        let within = x.ge(low.into_tensor(self)?)?.cast(self.dtype())?;
        let within = within.mul(&x.le(high.into_tensor(self)?)?.cast(self.dtype())?)?;
        let lead: Vec<isize> = (0..last as isize).collect();
        let outside = within.neg()?.add(1.0)?;
        if lead.is_empty() { Ok(outside) } else { outside.mean(&lead, false) }
    }
}
