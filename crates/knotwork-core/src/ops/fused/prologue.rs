//! An operation that reads an input as elementwise steps make it.

use std::sync::Arc;

use super::compose;
use crate::{
    DType, Layout, Result,
    graph::Meta,
    ops::{
        Cost, Load, Op, Reference,
        elementwise::{
            Body, Fused,
            wgsl::{Source, Words, storage},
        },
    },
    plan::{BindTo, KernelOperand, KernelRequest, Lowering, Scratch},
};

/// Inputs: the operation's without the one that is made, then the body's.
#[derive(Clone, Debug)]
pub(crate) struct Prologue {
    name: String,
    inner: Arc<dyn Op>,
    /// The number of the operation's inputs.
    taken: usize,
    /// The input that is made, how the operation looks at it, and the shape in which the body makes it, row-major.
    input: usize,
    view: Layout,
    made: Vec<usize>,
    body: Body,
}

impl Prologue {
    /// `inner` with `taken` inputs, of which `input` is seen through `view` on what the body makes in the shape `made`.
    pub fn new(
        inner: Arc<dyn Op>,
        taken: usize,
        (input, view): (usize, Layout),
        made: Vec<usize>,
        body: Body,
    ) -> Self {
        let name = format!("{}_{}", body.name(), inner.name());
        Self { name, inner, taken, input, view, made, body }
    }

    fn dtype(&self) -> DType {
        self.body.outputs.first().map_or(DType::F32, |&s| self.body.steps[s].dtype)
    }

    /// Where an input of the operation stands among all inputs.
    fn place(&self, input: usize) -> usize {
        if input > self.input { input - 1 } else { input }
    }

    /// The operation's inputs, with a stand-in for the one that is made.
    fn with_made<T: Clone>(&self, all: &[T], made: T) -> Vec<T> {
        let mut inputs = all[..self.taken - 1].to_vec();
        inputs.insert(self.input, made);
        inputs
    }

    /// The kernels call the body where they would read.
    fn fused(
        &self,
        mut lowering: Lowering,
        name: &'static str,
        request: &KernelRequest<'_>,
    ) -> Option<Lowering> {
        let made = &request.inputs[self.taken - 1..];
        for dispatch in &mut lowering.dispatches {
            let slot = dispatch.bindings.iter().position(|b| *b == BindTo::Input(self.input));
            for binding in &mut dispatch.bindings {
                if let BindTo::Input(i) = binding {
                    *i = self.place(*i);
                }
            }
            let Some(slot) = slot else { continue };
            let (mut text, mut sources) = (String::new(), Vec::new());
            for (k, input) in made.iter().enumerate() {
                let buffer = format!("{name}_in{k}");
                let to = BindTo::Input(self.taken - 1 + k);
                let binding = if k == 0 {
                    dispatch.bindings[slot] = to;
                    slot + 1
                } else {
                    dispatch.bindings.push(to);
                    dispatch.bindings.len()
                };
                text.push_str(&storage(binding, &buffer, input.dtype, false));
                sources.push(Source::Buffer(buffer, input.dtype, &input.layout));
            }
            if dispatch.bindings.len() > request.capabilities.max_storage_buffers as usize {
                return None;
            }
            let mut words = Words::new("fused", dispatch.params.fused().len());
            let statements = self.body.statements("at", &sources, &[], &mut words);
            let result = self.body.outputs.first()?;
            text.push_str(&format!(
                "\n// {}\nfn {name}(at: u32) -> f32 {{\n{statements}    return t{result};\n}}\n",
                self.body.name()
            ));
            if made.iter().any(|o| o.dtype == DType::F16) {
                text.insert_str(0, "enable f16;\n");
                dispatch.kernel.needs.f16 = true;
            }
            dispatch.kernel.name = format!("{}_{}", self.body.name(), dispatch.kernel.name);
            compose(dispatch, name, &self.body, &text, words.values());
        }
        Some(lowering)
    }

    /// A dispatch of its own for the body, where a kernel's load cannot be replaced.
    fn apart(&self, mut lowering: Lowering, request: &KernelRequest<'_>) -> Result<Lowering, String> {
        let scratch = lowering.scratch.len();
        lowering
            .scratch
            .push(Scratch { dtype: self.dtype(), count: crate::tensor::element_count(&self.made) });
        for binding in lowering.dispatches.iter_mut().flat_map(|d| &mut d.bindings) {
            match binding {
                BindTo::Input(i) if *i == self.input => *binding = BindTo::ScratchRead(scratch),
                BindTo::Input(i) => *i = self.place(*i),
                _ => {}
            }
        }
        let outputs = [KernelOperand { dtype: self.dtype(), layout: Layout::contiguous(&self.made) }];
        let steps = self.body.lower(&KernelRequest {
            inputs: &request.inputs[self.taken - 1..],
            outputs: &outputs,
            aliases: &[],
            capabilities: request.capabilities,
        })?;
        let mut dispatches = Vec::new();
        for mut dispatch in steps.into_iter().flat_map(|l| l.dispatches) {
            for binding in &mut dispatch.bindings {
                match binding {
                    BindTo::Input(i) => *i += self.taken - 1,
                    BindTo::Output(_) => *binding = BindTo::Scratch(scratch),
                    _ => {}
                }
            }
            dispatches.push(dispatch);
        }
        dispatches.append(&mut lowering.dispatches);
        lowering.dispatches = dispatches;
        Ok(lowering)
    }
}

impl Op for Prologue {
    fn name(&self) -> &str {
        &self.name
    }

    fn attributes(&self) -> String {
        format!("{} {:?} {:?}", self.inner.attributes(), self.view, self.body)
    }

    fn infer(&self, inputs: &[Meta]) -> Result<Vec<Meta>, String> {
        let made = Meta::new(self.dtype(), self.view.shape());
        self.inner.infer(&self.with_made(inputs, made))
    }

    fn reference(&self, inputs: &[Reference], outputs: &mut [Reference]) -> Result<(), String> {
        let count = crate::tensor::element_count(&self.made);
        let empty = Reference { dtype: self.dtype(), shape: self.made.clone(), data: vec![f64::NAN; count] };
        let mut made = [empty];
        Fused::new(self.body.clone()).reference(&inputs[self.taken - 1..], &mut made)?;
        let [made] = made;
        let seen = Reference {
            dtype: made.dtype,
            shape: self.view.shape().to_vec(),
            data: self.view.positions().map(|at| made.data[at]).collect(),
        };
        self.inner.reference(&self.with_made(inputs, seen), outputs)
    }

    fn kernels(&self, request: &KernelRequest<'_>) -> Result<Vec<Lowering>, String> {
        let made = KernelOperand { dtype: self.dtype(), layout: self.view.clone() };
        let inputs = self.with_made(request.inputs, made);
        let to_inner = |i: usize| if i >= self.input { i + 1 } else { i };
        let aliases: Vec<(usize, usize)> = request.aliases.iter().map(|&(i, o)| (to_inner(i), o)).collect();
        let lowerings =
            self.inner.kernels(&KernelRequest { inputs: &inputs, aliases: &aliases, ..*request })?;
        let shapes: Vec<Vec<usize>> = inputs.iter().map(|o| o.layout.shape().to_vec()).collect();
        let name = self.inner.loads(self.input, &shapes).map(|l| l.name);
        lowerings
            .into_iter()
            .map(|lowering| {
                let fused = name.and_then(|name| self.fused(lowering.clone(), name, request));
                fused.map_or_else(|| self.apart(lowering, request), Ok)
            })
            .collect()
    }

    fn note(&self, request: &KernelRequest<'_>, variant: &str) -> Option<String> {
        let made = KernelOperand { dtype: self.dtype(), layout: self.view.clone() };
        let inputs = self.with_made(request.inputs, made);
        self.inner.note(&KernelRequest { inputs: &inputs, aliases: &[], ..*request }, variant)
    }

    fn cost(&self, inputs: &[(DType, Layout)], outputs: &[(DType, Layout)]) -> Cost {
        let made = (self.dtype(), self.view.clone());
        let bytes =
            |v: &[(DType, Layout)]| v.iter().map(|(d, l)| (d.bytes() * l.count()) as f64).sum::<f64>();
        let saved = bytes(std::slice::from_ref(&made));
        let steps = self.body.steps.len() as f64 * crate::tensor::element_count(&self.made) as f64;
        let inner = self.inner.cost(&self.with_made(inputs, made), outputs);
        Cost { flops: inner.flops + steps, bytes: inner.bytes - saved + bytes(&inputs[self.taken - 1..]) }
    }

    fn accepts(&self, input: usize, layout: &Layout) -> bool {
        input + 1 >= self.taken
            || self.inner.accepts(if input >= self.input { input + 1 } else { input }, layout)
    }

    fn in_place(&self) -> Vec<(usize, usize)> {
        let pairs = self.inner.in_place().into_iter();
        pairs.filter(|&(i, _)| i != self.input && i < self.taken).map(|(i, o)| (self.place(i), o)).collect()
    }

    fn loads(&self, input: usize, shapes: &[Vec<usize>]) -> Option<Load> {
        if input + 1 >= self.taken {
            return None;
        }
        let all = self.with_made(shapes, self.view.shape().to_vec());
        self.inner.loads(if input >= self.input { input + 1 } else { input }, &all)
    }

    fn indices(&self, inputs: &[Vec<usize>]) -> Option<(usize, usize)> {
        let all = self.with_made(inputs, self.view.shape().to_vec());
        let (input, bound) = self.inner.indices(&all)?;
        (input != self.input).then(|| (self.place(input), bound))
    }
}
