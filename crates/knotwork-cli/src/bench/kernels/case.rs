//! A case: a name, and how its graph is made, with values for everything that the graph reads.

use std::{fmt, sync::Arc};

use anyhow::{Context, Result};
use knotwork::{Graph, HostTensor, graph::Update, prelude::*};

use super::random::Random;

/// How large the shapes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Size {
    /// A few elements: every kernel is checked in a moment, and no time means anything.
    Tiny,
    /// Milliseconds a run on two CPU cores.
    Small,
    /// Milliseconds a run on a discrete GPU.
    Large,
}

impl Size {
    /// A word for files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tiny => "tiny",
            Self::Small => "small",
            Self::Large => "large",
        }
    }

    /// Which of three.
    pub fn of<T: Copy>(self, [tiny, small, large]: [T; 3]) -> T {
        match self {
            Self::Tiny => tiny,
            Self::Small => small,
            Self::Large => large,
        }
    }
}

/// What an input is filled with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fill {
    /// Evenly between both.
    Uniform(f64, f64),
    /// Whole numbers in 0..bound.
    Index(usize),
    /// 0, n, 2n, ...: rows of n entries each.
    Starts(usize),
    /// Columns of rows of n entries each, rising within each row, in 0..bound.
    Columns(usize, usize),
}

type Build = Arc<dyn Fn(&mut Maker) -> knotwork::Result<Vec<Tensor>> + Send + Sync>;

/// Work to measure, by name: `family/what`.
#[derive(Clone)]
pub struct Case {
    /// The name.
    pub name: String,
    build: Build,
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Case({})", self.name)
    }
}

/// What a case is made with: takes note of what each input holds.
#[derive(Debug)]
pub struct Maker {
    /// The graph under way.
    pub graph: Graph,
    /// Writes to slots at the end of a run.
    pub updates: Vec<Update>,
    inputs: Vec<(String, DType, Vec<usize>, Fill)>,
    random: Random,
}

/// A case as a graph, with values for its inputs.
#[derive(Debug)]
pub struct Made {
    /// The graph.
    pub graph: Graph,
    /// What a run gives.
    pub outputs: Vec<Tensor>,
    /// What a run writes.
    pub updates: Vec<Update>,
    /// Values by the names of inputs.
    pub feeds: Vec<(String, HostTensor)>,
}

impl Case {
    /// A case whose graph `build` makes.
    pub fn new(
        name: impl Into<String>,
        build: impl Fn(&mut Maker) -> knotwork::Result<Vec<Tensor>> + Send + Sync + 'static,
    ) -> Self {
        Self { name: name.into(), build: Arc::new(build) }
    }

    /// What is before the first slash.
    pub fn family(&self) -> &str {
        self.name.split('/').next().unwrap_or_default()
    }

    /// Its graph and random values, the same for the same seed.
    ///
    /// # Errors
    /// Where the graph cannot be made: the fault would be the bench's.
    pub fn make(&self, seed: u64) -> Result<Made> {
        let random = Random::new(seed, &self.name);
        let mut maker = Maker { graph: Graph::new(), updates: Vec::new(), inputs: Vec::new(), random };
        let outputs = (self.build)(&mut maker).with_context(|| format!("{} cannot be made", self.name))?;
        let Maker { graph, updates, inputs, mut random } = maker;
        let feeds = inputs
            .into_iter()
            .map(|(name, dtype, shape, fill)| Ok((name, random.tensor(dtype, &shape, fill)?)))
            .collect::<Result<_>>()?;
        Ok(Made { graph, outputs, updates, feeds })
    }
}

impl Maker {
    /// An input between -1 and 1.
    #[track_caller]
    pub fn x(&mut self, shape: &[usize]) -> knotwork::Result<Tensor> {
        self.filled(DType::F32, shape, Fill::Uniform(-1.0, 1.0))
    }

    /// An input of indices.
    #[track_caller]
    pub fn index(&mut self, shape: &[usize], bound: usize) -> knotwork::Result<Tensor> {
        self.filled(DType::I32, shape, Fill::Index(bound))
    }

    /// An input.
    #[track_caller]
    pub fn filled(&mut self, dtype: DType, shape: &[usize], fill: Fill) -> knotwork::Result<Tensor> {
        let name = format!("x{}", self.inputs.len());
        let tensor = self.graph.input(&name, dtype, shape)?;
        self.inputs.push((name, dtype, shape.to_vec(), fill));
        Ok(tensor)
    }

    /// Initial values of a slot, between `low` and `high`.
    pub fn initial(&mut self, shape: &[usize], low: f64, high: f64) -> knotwork::Result<HostTensor> {
        self.random.tensor(DType::F32, shape, Fill::Uniform(low, high))
    }

    /// The gradients of `y` times a random cotangent. The value itself is not among the outputs, so a plan computes it
    /// only where the gradients need it.
    #[track_caller]
    pub fn gradients(&mut self, y: &Tensor, to: &[&Tensor]) -> knotwork::Result<Vec<Tensor>> {
        let shape: Vec<usize> = y.shape().fixed().unwrap_or_default();
        let cotangent = self.x(&shape)?;
        self.graph.vjp(&[(y, &cotangent)], to)
    }
}
