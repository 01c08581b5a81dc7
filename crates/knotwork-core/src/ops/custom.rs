//! An operation of one's own, from its parts: a definition, WGSL, a fast CPU form and a gradient.

#[cfg(test)]
mod tests;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use super::{Op, Reference, no_gradient};
use crate::{
    DType, Error, Result, Site,
    autodiff::GradContext,
    cpu::CpuIo,
    graph::{Meta, Tensor},
    plan::{BindTo, DispatchSpec, Grid, Kernel, KernelRequest, Lowering, Needs, Params, Source},
};

type Define = Arc<dyn Fn(&[Reference], &mut [Reference]) + Send + Sync>;
type Shapes = Arc<dyn Fn(&[Meta]) -> Result<Vec<Meta>, String> + Send + Sync>;
type Groups = Arc<dyn Fn(&[&[usize]], &[&[usize]]) -> usize + Send + Sync>;
type Sizes = Arc<dyn Fn(&[&[usize]], &[&[usize]]) -> Vec<usize> + Send + Sync>;
type Fast = Arc<dyn Fn(&[&[f32]], &mut [&mut [f32]]) + Send + Sync>;
type Gradient = Arc<dyn Fn(&GradContext<'_>) -> Result<Vec<Option<Tensor>>> + Send + Sync>;

/// Threads of a workgroup under the default rule of workgroups.
const THREADS: usize = 256;

/// An operation of one's own. [`Custom::new`] takes its name and definition; everything else has a default or may be left
/// out. What this builder cannot say (several dispatches, scratch memory, variants) the trait [`Op`] can.
///
/// The WGSL has an entry point `main` and declares in group 0:
/// - binding 0, `var<uniform> params: Params`, a struct of 32-bit words: the number of elements of the first output (u32),
///   then what the rule of [`sizes`](Self::sizes) gives (u32), then the numbers (f32) in the order in which they were given,
///   padded to 16 bytes;
/// - bindings 1, 2, ...: the inputs as `var<storage, read>`, then the outputs as `var<storage, read_write>`, arrays of `f32`
///   (or `i32`, `u32`), row-major.
///
/// It may `#import` the files of `shaders/shared`, and choose text with `#if FLAG`, `#else`, `#endif`. The grid may hold
/// more workgroups than were asked for: check the count.
///
/// ```
/// # use knotwork_core::{Device, DType, Graph, HostTensor, ops::Custom};
/// let cube = Custom::new("cube", |x, y| {
///     y[0].data.iter_mut().zip(&x[0].data).for_each(|(y, x)| *y = x * x * x);
/// })
/// .wgsl(
///     "#import shared/grid
///     struct Params { count: u32, pad0: u32, pad1: u32, pad2: u32 }
///     @group(0) @binding(0) var<uniform> params: Params;
///     @group(0) @binding(1) var<storage, read> x: array<f32>;
///     @group(0) @binding(2) var<storage, read_write> y: array<f32>;
///     @compute @workgroup_size(256)
///     fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
///             @builtin(local_invocation_index) local: u32) {
///         let i = linear_thread(wid, groups, local, 256u);
///         if i < params.count { y[i] = x[i] * x[i] * x[i]; }
///     }",
/// )
/// .gradient(|c| Ok(vec![Some(c.inputs[0].square()?.mul(3.0)?.mul(c.cotangent()?)?)]));
///
/// let g = Graph::new();
/// let x = g.input("x", DType::F32, [2])?;
/// let y = cube.apply_one(&[&x])?;
/// let dx = y.sum(&[0], false)?.grad(&[&x])?.remove(0);
/// let mut p = Device::cpu().compile(&g, &[&y, &dx], &[])?; // or any other device
/// let out = p.run([("x", HostTensor::new(&[2.0f32, -1.0], [2])?)])?.wait()?;
/// assert_eq!(out[0].as_slice::<f32>()?, &[8.0, -1.0]);
/// assert_eq!(out[1].as_slice::<f32>()?, &[12.0, 3.0]);
/// # Ok::<(), knotwork_core::Error>(())
/// ```
#[derive(Clone)]
pub struct Custom {
    name: String,
    /// Which closures it has: clones do equal work, and are done once.
    identity: u64,
    numbers: Vec<(String, f32)>,
    define: Define,
    shapes: Shapes,
    wgsl: Option<Arc<str>>,
    flags: Vec<&'static str>,
    groups: Groups,
    sizes: Sizes,
    fast: Option<Fast>,
    gradient: Option<Gradient>,
}

/// A number that no other operation has.
fn identity() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl Custom {
    /// An operation of that name, defined by plain loops in f64: it reads the inputs and writes the outputs, which come in
    /// their shapes. The definition runs where nothing faster is given, and is what all else is tested against.
    #[must_use]
    pub fn new(
        name: &str,
        definition: impl Fn(&[Reference], &mut [Reference]) + Send + Sync + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            identity: identity(),
            numbers: Vec::new(),
            define: Arc::new(definition),
            shapes: Arc::new(|inputs| {
                inputs.first().map(|m| vec![m.clone()]).ok_or_else(|| "it has no input".into())
            }),
            wgsl: None,
            flags: Vec::new(),
            groups: Arc::new(|_, outputs| {
                outputs.first().map_or(0, |shape| shape.iter().product::<usize>()).div_ceil(THREADS)
            }),
            sizes: Arc::new(|_, _| Vec::new()),
            fast: None,
            gradient: None,
        }
    }

    fn changed(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self.identity = identity();
        self
    }

    /// A number that the kernel finds in its params. It is also part of what tells two operations apart.
    #[must_use]
    pub fn number(self, name: &str, value: f32) -> Self {
        self.changed(|c| c.numbers.push((name.into(), value)))
    }

    /// The types and shapes of the outputs for those of the inputs, or what is wrong with which input. Without this there
    /// is one output like the first input.
    #[must_use]
    pub fn shapes(self, rule: impl Fn(&[Meta]) -> Result<Vec<Meta>, String> + Send + Sync + 'static) -> Self {
        self.changed(|c| c.shapes = Arc::new(rule))
    }

    /// The text of its kernel.
    #[must_use]
    pub fn wgsl(self, text: &str) -> Self {
        self.changed(|c| c.wgsl = Some(text.into()))
    }

    /// A flag for `#if` in the text.
    #[must_use]
    pub fn flag(self, flag: &'static str) -> Self {
        self.changed(|c| c.flags.push(flag))
    }

    /// Sizes that the kernel finds in its params, for the shapes of the inputs and the outputs: the length of a row, say.
    #[must_use]
    pub fn sizes(
        self,
        rule: impl Fn(&[&[usize]], &[&[usize]]) -> Vec<usize> + Send + Sync + 'static,
    ) -> Self {
        self.changed(|c| c.sizes = Arc::new(rule))
    }

    /// The number of workgroups for the shapes of the inputs and the outputs. Without this there are as many as give each
    /// element of the first output a thread, at 256 a workgroup.
    #[must_use]
    pub fn workgroups(
        self,
        rule: impl Fn(&[&[usize]], &[&[usize]]) -> usize + Send + Sync + 'static,
    ) -> Self {
        self.changed(|c| c.groups = Arc::new(rule))
    }

    /// A fast form for the CPU: inputs and outputs row-major, all of f32.
    #[must_use]
    pub fn cpu(self, fast: impl Fn(&[&[f32]], &mut [&mut [f32]]) + Send + Sync + 'static) -> Self {
        self.changed(|c| c.fast = Some(Arc::new(fast)))
    }

    /// Nodes that compute the gradient to each input, `None` where it is zero: made of the library's operations, or of
    /// another `Custom`.
    #[must_use]
    pub fn gradient(
        self,
        rule: impl Fn(&GradContext<'_>) -> Result<Vec<Option<Tensor>>> + Send + Sync + 'static,
    ) -> Self {
        self.changed(|c| c.gradient = Some(Arc::new(rule)))
    }

    /// Adds it to the graph of its inputs.
    ///
    /// # Errors
    /// Where its rule refuses the shapes, it is given no inputs, or they belong to two graphs.
    #[track_caller]
    pub fn apply(&self, inputs: &[&Tensor]) -> Result<Vec<Tensor>> {
        self.graph_of(inputs, Site::here())?.apply(self.clone(), inputs, Site::here())
    }

    /// Like [`apply`](Self::apply), for one output.
    ///
    /// # Errors
    /// As [`apply`](Self::apply), and where it has not exactly one output.
    #[track_caller]
    pub fn apply_one(&self, inputs: &[&Tensor]) -> Result<Tensor> {
        self.graph_of(inputs, Site::here())?.apply_one(self.clone(), inputs, Site::here())
    }

    fn graph_of<'a>(&self, inputs: &[&'a Tensor], site: Site) -> Result<&'a crate::Graph> {
        inputs.first().map(|t| t.graph()).ok_or_else(|| Error::Graph {
            message: format!("`{}` was given no inputs; its graph is theirs", self.name),
            site,
        })
    }
}

impl fmt::Debug for Custom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Custom({}, {})", self.name, self.attributes())
    }
}

impl Op for Custom {
    fn name(&self) -> &str {
        &self.name
    }

    fn attributes(&self) -> String {
        let numbers: String = self.numbers.iter().map(|(name, value)| format!("{name}={value:?} ")).collect();
        format!("{numbers}custom={}", self.identity)
    }

    fn infer(&self, inputs: &[Meta]) -> Result<Vec<Meta>, String> {
        (self.shapes)(inputs)
    }

    fn reference(&self, inputs: &[Reference], outputs: &mut [Reference]) -> Result<(), String> {
        (self.define)(inputs, outputs);
        Ok(())
    }

    fn cpu(&self, io: &mut CpuIo<'_>) -> Result<bool, String> {
        let Some(fast) = &self.fast else { return Ok(false) };
        let inputs: Option<Vec<&[f32]>> = io.inputs.iter().map(|i| i.f32()).collect();
        let outputs: Option<Vec<&mut [f32]>> = io.outputs.iter_mut().map(|o| o.f32()).collect();
        let (Some(inputs), Some(mut outputs)) = (inputs, outputs) else { return Ok(false) };
        fast(&inputs, &mut outputs);
        Ok(true)
    }

    fn kernels(&self, request: &KernelRequest<'_>) -> Result<Vec<Lowering>, String> {
        let Some(text) = &self.wgsl else {
            return Err("it was given no WGSL; it runs on the CPU only".into());
        };
        let all = request.inputs.iter().chain(request.outputs);
        if let Some(other) = all.clone().find(|o| !matches!(o.dtype, DType::F32 | DType::I32 | DType::U32)) {
            return Err(format!("its kernel takes f32, i32 and u32, not {}", other.dtype));
        }
        let shapes = |side: &'_ [crate::plan::KernelOperand]| -> Vec<Vec<usize>> {
            side.iter().map(|o| o.layout.shape().to_vec()).collect()
        };
        let (inputs, outputs) = (shapes(request.inputs), shapes(request.outputs));
        let [inputs, outputs] = [&inputs, &outputs].map(|s| s.iter().map(Vec::as_slice).collect::<Vec<_>>());
        let count: usize = outputs.first().map_or(0, |shape| shape.iter().product());
        let sizes = (self.sizes)(&inputs, &outputs);
        let params = sizes.into_iter().fold(Params::new().u32(count), Params::u32);
        let (ins, outs) = (0..inputs.len(), 0..outputs.len());
        Ok(vec![Lowering::single(
            "custom",
            DispatchSpec {
                kernel: Kernel {
                    name: self.name.clone(),
                    source: Source::Text(text.clone()),
                    flags: self.flags.clone(),
                    constants: Vec::new(),
                    needs: Needs::default(),
                },
                bindings: ins.map(BindTo::Input).chain(outs.map(BindTo::Output)).collect(),
                params: self.numbers.iter().fold(params, |p, (_, value)| p.f32(*value)),
                grid: Grid::Linear((self.groups)(&inputs, &outputs) as u64),
                flat: None,
            },
        )])
    }

    fn grad(&self, context: &GradContext<'_>) -> Result<Vec<Option<Tensor>>> {
        let Some(gradient) = &self.gradient else {
            return Err(no_gradient("the custom operation was given no gradient"));
        };
        let found = gradient(context)?;
        if found.len() != context.inputs.len() {
            return Err(no_gradient(&format!(
                "its rule gave {} gradients for {} inputs",
                found.len(),
                context.inputs.len()
            )));
        }
        let wrong = |(found, input): (&Option<Tensor>, &Tensor)| {
            found
                .as_ref()
                .filter(|t| t.meta() != input.meta())
                .map(|t| (t.meta().clone(), input.meta().clone()))
        };
        match found.iter().zip(context.inputs).enumerate().find_map(|(i, pair)| Some((i, wrong(pair)?))) {
            Some((i, (got, want))) => Err(no_gradient(&format!(
                "its rule gave {got} as the gradient to input {i}, which is {want}"
            ))),
            None => Ok(found),
        }
    }
}
