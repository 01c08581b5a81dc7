//! How rational layers are asked for.

use knotwork_core::{
    DType, Graph, HostTensor,
    ops::{RationalForm, elementwise::activations},
};

use super::{GrKan, GroupRational, RationalFit};
use crate::{Error, Result, layers::Linear};

/// The largest degree of a numerator or denominator: beyond it powers of an f32 say nothing.
const DEGREE: usize = 16;

/// The settings of a [`GroupRational`].
#[derive(Clone, Debug)]
pub struct GroupRationalBuilder {
    graph: Graph,
    name: String,
    channels: usize,
    groups: usize,
    degrees: (usize, usize),
    form: RationalForm,
    shared: bool,
    like: String,
    dtype: DType,
}

impl GroupRationalBuilder {
    pub(super) fn new(graph: &Graph, name: &str, channels: usize) -> Self {
        Self {
            graph: graph.clone(),
            name: name.into(),
            channels,
            groups: 8,
            degrees: (5, 4),
            form: RationalForm::B,
            shared: true,
            like: "identity".into(),
            dtype: DType::F32,
        }
    }

    /// Groups of consecutive channels; they divide the channels.
    #[must_use]
    pub fn groups(mut self, groups: usize) -> Self {
        self.groups = groups;
        self
    }

    /// The degrees of the numerator and the denominator.
    #[must_use]
    pub fn degrees(mut self, numerator: usize, denominator: usize) -> Self {
        self.degrees = (numerator, denominator);
        self
    }

    /// The form of the denominator.
    #[must_use]
    pub fn form(mut self, form: RationalForm) -> Self {
        self.form = form;
        self
    }

    /// Whether all groups have one numerator, as in KAT.
    #[must_use]
    pub fn shared_numerator(mut self, shared: bool) -> Self {
        self.shared = shared;
        self
    }

    /// The function that it begins as: `identity`, or an activation's name, with its default attributes.
    #[must_use]
    pub fn like(mut self, function: &str) -> Self {
        self.like = function.into();
        self
    }

    /// The parameters' type: f32 unless set; f64 runs on the CPU.
    #[must_use]
    pub fn dtype(mut self, dtype: DType) -> Self {
        self.dtype = dtype;
        self
    }

    /// What it begins as.
    #[track_caller]
    fn fit(&self) -> Result<RationalFit> {
        let no = |what: String| Err(Error::setting(format!("GroupRational `{}`: {what}", self.name)));
        let Self { channels, groups, degrees, .. } = *self;
        if channels == 0 || groups == 0 || channels % groups != 0 {
            return no(format!(
                "{groups} groups of {channels} channels; both must be at least 1, and groups divide channels"
            ));
        }
        if !(1..=DEGREE).contains(&degrees.0) || !(1..=DEGREE).contains(&degrees.1) {
            return no(format!("the degrees are {degrees:?}; both must be from 1 to {DEGREE}"));
        }
        if !matches!(self.dtype, DType::F32 | DType::F64) {
            return no(format!("the type is {}; it must be f32 or f64", self.dtype));
        }
        if self.like == "identity" {
            return Ok(RationalFit::of(|x| x, self.form, degrees));
        }
        match activations().find(|row| row.name == self.like && row.arity == 1) {
            Some(row) => {
                let attributes: Vec<f64> = row.attributes.iter().map(|a| a.default).collect();
                Ok(RationalFit::of(|x| (row.reference)(&[x], &attributes), self.form, degrees))
            }
            None => no(format!("`{}` is neither identity nor the name of an activation", self.like)),
        }
    }

    /// Adds the parameters to the graph.
    ///
    /// # Errors
    /// Where the groups do not divide the channels, a degree is not from 1 to 16, there is no such function, the type is no
    /// float, or a name is taken.
    #[track_caller]
    pub fn build(&self) -> Result<GroupRational> {
        let fit = self.fit()?;
        let add = |what: &str, values: &[f64], rows: usize| {
            let value = HostTensor::new(&values.repeat(rows), [rows, values.len()])?.cast(self.dtype);
            Ok::<_, Error>(self.graph.parameter(&format!("{}.{what}", self.name), value)?)
        };
        let numerator = add("numerator", &fit.numerator, if self.shared { 1 } else { self.groups })?;
        let denominator = add("denominator", &fit.denominator, self.groups)?;
        let Self { name, channels, groups, form, .. } = self.clone();
        Ok(GroupRational { name, channels, groups, form, numerator, denominator, fit })
    }
}

/// The settings of a [`GrKan`].
#[derive(Clone, Debug)]
pub struct GrKanBuilder {
    graph: Graph,
    name: String,
    outputs: usize,
    rational: GroupRationalBuilder,
    bias: bool,
    seed: u64,
}

impl GrKanBuilder {
    pub(super) fn new(graph: &Graph, name: &str, inputs: usize, outputs: usize) -> Self {
        let rational = GroupRationalBuilder::new(graph, &format!("{name}.act"), inputs);
        Self { graph: graph.clone(), name: name.into(), outputs, rational, bias: true, seed: 0 }
    }

    /// Other settings for the activation.
    #[must_use]
    pub fn rational(mut self, set: impl FnOnce(GroupRationalBuilder) -> GroupRationalBuilder) -> Self {
        self.rational = set(self.rational);
        self
    }

    /// Whether b is added; it begins at 0.
    #[must_use]
    pub fn bias(mut self, bias: bool) -> Self {
        self.bias = bias;
        self
    }

    /// The seed of the weight's initial values; layers of different names draw different ones.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Adds the parameters to the graph.
    ///
    /// # Errors
    /// As of [`GroupRationalBuilder::build`]; and where there are no outputs, or the activation's type is not f32.
    #[track_caller]
    pub fn build(&self) -> Result<GrKan> {
        let Self { graph, name, outputs, rational, .. } = self;
        if *outputs == 0 || rational.dtype != DType::F32 {
            return Err(Error::setting(format!(
                "GrKan `{name}`: {outputs} outputs, {}; there must be at least 1, in f32",
                rational.dtype
            )));
        }
        let inputs = rational.channels;
        let rational = rational.build()?;
        let gain = rational.fit().second_moment().sqrt().recip();
        let linear = Linear::new(graph, name, inputs, *outputs).bias(self.bias).seed(self.seed).gain(gain);
        Ok(GrKan { rational, linear: linear.build()? })
    }
}
