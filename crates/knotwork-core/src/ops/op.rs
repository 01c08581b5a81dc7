//! The trait that an operation implements. Everything else (planner, autodiff, CPU backend, harness)
//! sees operations only through it.

use std::{fmt::Debug, ops::Range, sync::Arc};

use crate::{
    Error, Result, Site,
    autodiff::GradContext,
    cpu::CpuIo,
    graph::{Meta, Tensor},
    ops::Case,
    plan::{KernelRequest, Lowering},
    tensor::{Binding, DType, Layout},
};

/// A row-major tensor of f64, whatever the graph's element type: what references compute with.
/// Every f32, f16, integer and truth value fits exactly; the oracle rounds each result to the graph's type.
#[derive(Clone, Debug, PartialEq)]
pub struct Reference {
    /// The element type that the value has in the graph.
    pub dtype: DType,
    /// The dimensions.
    pub shape: Vec<usize>,
    /// The elements.
    pub data: Vec<f64>,
}

/// What an operation costs, for the planner, the bench and the docs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cost {
    /// Floating-point operations.
    pub flops: f64,
    /// Bytes that must be read and written at least.
    pub bytes: f64,
}

/// An operation over fewer rows, and the dimension of each input that goes with them.
pub type Rows = (Arc<dyn Op>, Vec<Option<usize>>);

/// How kernels read an input: through `fn NAME(at: u32) -> f32`, `at` a place in the input's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// The name of the function.
    pub name: &'static str,
    /// How often an element is read, about.
    pub times: usize,
}

/// One operation.
pub trait Op: Debug + Send + Sync + 'static {
    /// Its name, in the field's standard term.
    fn name(&self) -> &str;

    /// Its attributes as canonical text: two operations of one name and one text compute the same.
    fn attributes(&self) -> String {
        String::new()
    }

    /// Types and shapes of its outputs, or what is wrong with which input.
    ///
    /// # Errors
    /// A message that names the input and the limit.
    fn infer(&self, inputs: &[Meta]) -> Result<Vec<Meta>, String>;

    /// The plain loops that define it, accumulating in f64. Outputs come filled with NaN, in their shapes.
    ///
    /// # Errors
    /// Where data is outside the definition (an index out of range).
    fn reference(&self, inputs: &[Reference], outputs: &mut [Reference]) -> Result<(), String>;

    /// The fast CPU path in f32. `Ok(false)` where there is none for these inputs; `reference` runs then.
    ///
    /// # Errors
    /// Where data is outside the definition.
    fn cpu(&self, io: &mut CpuIo<'_>) -> Result<bool, String> {
        let _ = io;
        Ok(false)
    }

    /// Its GPU variants for these shapes and layouts on these capabilities, best first.
    ///
    /// # Errors
    /// Where no kernel can take them; the message names the limit.
    fn kernels(&self, request: &KernelRequest<'_>) -> Result<Vec<Lowering>, String>;

    /// Why one of these variants was chosen, in a line for [`Plan::explain`](crate::plan::Plan::explain), where there is
    /// something to say.
    fn note(&self, request: &KernelRequest<'_>, variant: &str) -> Option<String> {
        let _ = (request, variant);
        None
    }

    /// Nodes that compute the gradient to each input; `None` where it is zero.
    ///
    /// # Errors
    /// [`Error::Gradient`] with the reason, where there is none.
    fn grad(&self, context: &GradContext<'_>) -> Result<Vec<Option<Tensor>>> {
        let _ = context;
        Err(no_gradient("it is not differentiable"))
    }

    /// Floating-point operations and bytes. The default counts one operation an output element.
    fn cost(&self, inputs: &[(DType, Layout)], outputs: &[(DType, Layout)]) -> Cost {
        let bytes =
            |v: &[(DType, Layout)]| v.iter().map(|(d, l)| (d.bytes() * l.count()) as f64).sum::<f64>();
        let flops = outputs.iter().map(|(_, l)| l.count() as f64).sum();
        Cost { flops, bytes: bytes(inputs) + bytes(outputs) }
    }

    /// Whether kernels and the CPU path can read this input through such a layout; else the planner copies it.
    fn accepts(&self, input: usize, layout: &Layout) -> bool {
        let _ = input;
        layout.is_contiguous()
    }

    /// Pairs (input, output) that may share their memory: the kernel reads and writes it as one buffer.
    fn in_place(&self) -> Vec<(usize, usize)> {
        Vec::new()
    }

    /// Ranges of inputs that should lie side by side in memory, so that one dispatch takes them all.
    fn packed(&self) -> Vec<Range<usize>> {
        Vec::new()
    }

    /// For a view: the layout of its output over its input's memory; `None` inside where only a copy can say it.
    fn view(&self, input: &Layout, output: &[usize]) -> Option<Option<Layout>> {
        let _ = (input, output);
        None
    }

    /// For an elementwise operation: how fused bodies apply it.
    fn elementwise(&self) -> Option<super::elementwise::Function> {
        None
    }

    /// For a fused body of elementwise functions: the body.
    fn body(&self) -> Option<&super::elementwise::Body> {
        None
    }

    /// For an operation whose rows, along dimension 0 of every output, are made each on its own: the operation over so many
    /// of them, and the dimension of each input that goes with them (none where every row needs all of it). The planner
    /// cuts it where the device cannot bind the whole.
    fn in_rows(&self, rows: usize, shapes: &[Vec<usize>]) -> Option<Rows> {
        let _ = (rows, shapes);
        None
    }

    /// Whether its kernels store output 0 through `fn emit(at: u32, value: f32)` and nothing else, each element once,
    /// `at` its row-major place. Elementwise steps may then take the place of that function (flag `epilogue`).
    fn emits(&self) -> bool {
        false
    }

    /// The function through which alone its kernels read an f32 input, given the shapes of all inputs. Elementwise
    /// steps may then take its place (flag: its name), and the input never reaches memory.
    fn loads(&self, input: usize, shapes: &[Vec<usize>]) -> Option<Load> {
        let _ = (input, shapes);
        None
    }

    /// Whether an element of an output, by its row-major place, only saves other operations work: any finite number there
    /// is right, and `verify` does not compare it.
    fn is_hint(&self, output: usize, at: usize) -> bool {
        let _ = (output, at);
        false
    }

    /// What the planner's rewriting rules know it as.
    fn role(&self) -> Option<super::Role> {
        None
    }

    /// The input that holds indices and one past the largest valid one.
    fn indices(&self, inputs: &[Vec<usize>]) -> Option<(usize, usize)> {
        let _ = inputs;
        None
    }

    /// The operation with the names of dimensions in its attributes replaced by numbers.
    ///
    /// # Errors
    /// The name that the binding lacks.
    fn bind(&self, binding: &Binding) -> Result<Option<Arc<dyn Op>>, Arc<str>> {
        let _ = binding;
        Ok(None)
    }

    /// The operation in an f64 graph, where its attributes name a type.
    fn to_f64(&self) -> Option<Arc<dyn Op>> {
        None
    }
}

/// The error of an operation without a gradient; the walk adds the name and the place.
#[must_use]
pub fn no_gradient(reason: &str) -> Error {
    Error::Gradient { op: String::new(), site: Site::here(), reason: reason.into() }
}

/// An operation in the registry: its name, what it computes, and the cases that the harness tests.
#[derive(Clone, Copy, Debug)]
pub struct Registered {
    /// Its name.
    pub name: &'static str,
    /// The formula, in one line.
    pub formula: &'static str,
    /// Its inputs by name, with their shapes.
    pub inputs: &'static str,
    /// Its attributes with their defaults and ranges; empty where it has none.
    pub attributes: &'static str,
    /// The element types that it takes, and what is special about them.
    pub types: &'static str,
    /// Where the definition comes from: a paper, a standard; empty for what everybody knows.
    pub source: &'static str,
    /// Shapes, attributes, kinks and tolerances for the harness.
    pub cases: Cases,
}

/// Where the cases of an operation come from.
#[derive(Clone, Copy, Debug)]
pub enum Cases {
    /// Listed in its file.
    Listed(fn() -> Vec<Case>),
    /// Made from its row of the elementwise table.
    Row(&'static super::elementwise::Row),
}

impl Registered {
    /// The cases that the harness tests.
    #[must_use]
    pub fn cases(&self) -> Vec<Case> {
        match self.cases {
            Cases::Listed(list) => list(),
            Cases::Row(row) => super::elementwise::cases(row),
        }
    }
}
