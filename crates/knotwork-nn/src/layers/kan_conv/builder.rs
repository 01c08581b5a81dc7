//! How a KAN convolution is asked for.

use knotwork_core::{
    DType, Graph, HostTensor,
    ops::{BSpline, Basis, Outside},
};

use super::{KanConv, Window};
use crate::{
    Error, Generator, Result,
    kan::{Base, mean_square},
};

/// One number for all directions, or one for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Each<const D: usize>(pub [usize; D]);

impl<const D: usize> From<usize> for Each<D> {
    fn from(n: usize) -> Self {
        Self([n; D])
    }
}

impl<const D: usize> From<[usize; D]> for Each<D> {
    fn from(each: [usize; D]) -> Self {
        Self(each)
    }
}

/// The settings of a [`KanConv`].
#[derive(Clone, Debug)]
pub struct KanConvBuilder<const D: usize> {
    graph: Graph,
    name: String,
    inputs: usize,
    outputs: usize,
    window: Window<D>,
    grid: usize,
    order: usize,
    range: (f64, f64),
    outside: Outside,
    basis: Option<Basis>,
    base: Base,
    bias: bool,
    seed: u64,
    spline_scale: f64,
    dtype: DType,
}

impl<const D: usize> KanConvBuilder<D> {
    pub(super) fn new(graph: &Graph, name: &str, inputs: usize, outputs: usize, kernel: [usize; D]) -> Self {
        Self {
            graph: graph.clone(),
            name: name.into(),
            inputs,
            outputs,
            window: Window { kernel, stride: [1; D], padding: [0; D], dilation: [1; D], groups: 1 },
            grid: 5,
            order: 3,
            range: (-1.0, 1.0),
            outside: Outside::Zero,
            basis: None,
            base: Base::Silu,
            bias: false,
            seed: 0,
            spline_scale: 0.1,
            dtype: DType::F32,
        }
    }

    /// Steps between places.
    #[must_use]
    pub fn stride(mut self, stride: impl Into<Each<D>>) -> Self {
        self.window.stride = stride.into().0;
        self
    }

    /// Zeros on each side of x; each is worth φ(0).
    #[must_use]
    pub fn padding(mut self, padding: impl Into<Each<D>>) -> Self {
        self.window.padding = padding.into().0;
        self
    }

    /// Steps between taps.
    #[must_use]
    pub fn dilation(mut self, dilation: impl Into<Each<D>>) -> Self {
        self.window.dilation = dilation.into().0;
        self
    }

    /// Channels are split into so many groups that do not mix.
    #[must_use]
    pub fn groups(mut self, groups: usize) -> Self {
        self.window.groups = groups;
        self
    }

    /// Intervals of the grid.
    #[must_use]
    pub fn grid(mut self, intervals: usize) -> Self {
        self.grid = intervals;
        self
    }

    /// The order (degree) of the splines.
    #[must_use]
    pub fn order(mut self, order: usize) -> Self {
        self.order = order;
        self
    }

    /// The range of the grid.
    #[must_use]
    pub fn range(mut self, low: impl Into<f64>, high: impl Into<f64>) -> Self {
        self.range = (low.into(), high.into());
        self
    }

    /// What splines are beyond their grid: 0, within `order` intervals, unless set.
    #[must_use]
    pub fn outside(mut self, outside: Outside) -> Self {
        self.outside = outside;
        self
    }

    /// Other functions instead of B-splines of [`grid`](Self::grid), [`order`](Self::order), [`range`](Self::range) and
    /// [`outside`](Self::outside).
    #[must_use]
    pub fn basis(mut self, basis: impl Into<Basis>) -> Self {
        self.basis = Some(basis.into());
        self
    }

    /// The term beside the learned functions: w silu(x) unless set, and none by `false` or [`Base::None`].
    #[must_use]
    pub fn base(mut self, base: impl Into<Base>) -> Self {
        self.base = base.into();
        self
    }

    /// Whether a bias is added; it begins at 0.
    #[must_use]
    pub fn bias(mut self, bias: bool) -> Self {
        self.bias = bias;
        self
    }

    /// The seed of the initial values; layers of different names draw different ones.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// How large the splines begin: 1 gives their sum over channels and taps variance 1; 0.1 unless set.
    #[must_use]
    pub fn spline_scale(mut self, scale: f64) -> Self {
        self.spline_scale = scale;
        self
    }

    /// The parameters' type: f32 unless set; f64 runs on the CPU.
    #[must_use]
    pub fn dtype(mut self, dtype: DType) -> Self {
        self.dtype = dtype;
        self
    }

    /// Adds the parameters to the graph.
    ///
    /// # Errors
    /// Where a number of channels, a kernel, stride or dilation is 0, the groups do not divide the channels, the grid, order or
    /// range cannot be taken, the spline scale is not finite, the type is no float, or a name is taken.
    #[track_caller]
    pub fn build(&self) -> Result<KanConv<D>> {
        let Self { graph, name, inputs, outputs, window, base, dtype, .. } = self;
        let (inputs, outputs, groups) = (*inputs, *outputs, window.groups);
        let no = |what: String| Err(Error::setting(format!("KanConv{D}d `{name}`: {what}")));
        if inputs == 0 || outputs == 0 {
            return no(format!("{inputs} channels in, {outputs} out; both must be at least 1"));
        }
        let sizes = [("kernel", window.kernel), ("stride", window.stride), ("dilation", window.dilation)];
        if let Some((what, each)) = sizes.into_iter().find(|(_, each)| each.contains(&0)) {
            return no(format!("the {what} is {each:?}; all must be at least 1"));
        }
        if groups == 0 || inputs % groups != 0 || outputs % groups != 0 {
            return no(format!("{groups} groups; they must divide {inputs} channels in and {outputs} out"));
        }
        if !self.spline_scale.is_finite() {
            return no(format!("the spline scale is {}; it must be finite", self.spline_scale));
        }
        if !matches!(dtype, DType::F32 | DType::F64) {
            return no(format!("the type is {dtype}; it must be f32 or f64"));
        }
        let basis = match self.basis {
            Some(basis) => basis,
            None => BSpline::new(self.grid, self.order)?
                .range(self.range.0, self.range.1)?
                .outside(self.outside)
                .into(),
        };
        let (wide, high, taps) = (inputs / groups, outputs / groups, window.taps());
        let fan_in = wide * taps;
        let mut values = Generator::named(self.seed, name);
        // As of a Kan's layer with so many inputs.
        let std = self.spline_scale / (fan_in as f64 * mean_square(&basis)).sqrt();
        let coef = values.normal(&[groups, taps, wide, basis.count(), high], 0.0, std)?;
        let base_weight =
            values.kaiming_uniform(&[groups, taps, wide, high], fan_in, 1.0 / 0.355_8f64.sqrt())?;
        let add =
            |what: &str, value: HostTensor| graph.parameter(&format!("{name}.{what}"), value.cast(*dtype));
        let coef = add("coef", coef)?;
        let base_weight = (*base != Base::None).then(|| add("base", base_weight)).transpose()?;
        let bias = self.bias.then(|| add("bias", HostTensor::zeros(*dtype, [outputs]))).transpose()?;
        let (name, window, base) = (name.clone(), *window, *base);
        Ok(KanConv { name, inputs, outputs, window, basis, base, coef, base_weight, bias })
    }
}
