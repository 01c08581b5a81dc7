//! An operation whose result goes through elementwise steps before it is stored.

use std::sync::Arc;

use super::compose;
use crate::{
    DType, Layout, Result,
    cpu::{CpuInput, CpuIo, CpuOutput, Slice, SliceMut},
    graph::Meta,
    ops::{
        Cost, Load, Op, Reference, Rows,
        elementwise::{
            Body, Fused,
            wgsl::{Source, Store, Words, storage},
        },
    },
    plan::{BindTo, KernelOperand, KernelRequest, Lowering, Scratch},
};

/// Inputs: the operation's, then the body's from its second on; its first is the operation's output 0.
/// Outputs: the body's, then the operation's from its second on.
#[derive(Clone, Debug)]
pub(crate) struct Epilogue {
    name: String,
    inner: Arc<dyn Op>,
    /// The number of the operation's inputs.
    taken: usize,
    /// The type and shape of its output 0, which never reaches memory.
    raw: (DType, Vec<usize>),
    body: Body,
}

impl Epilogue {
    /// Steps over an operation with so many inputs, whose output 0 has that type and shape.
    pub fn new(inner: Arc<dyn Op>, taken: usize, raw: (DType, Vec<usize>), body: Body) -> Self {
        let name = format!("{}_{}", inner.name(), body.name());
        Self { name, inner, taken, raw, body }
    }

    /// The number of outputs that the body makes.
    fn made(&self) -> usize {
        self.body.outputs.len()
    }

    /// The dispatch whose kernel can store through the body: the only one that writes output 0.
    fn writer(&self, lowering: &Lowering, request: &KernelRequest<'_>) -> Option<usize> {
        let writes = |d: &crate::plan::DispatchSpec| d.bindings.contains(&BindTo::Output(0));
        let mut writers = lowering.dispatches.iter().enumerate().filter(|(_, d)| writes(d));
        let (at, dispatch) = writers.next()?;
        let extra = (self.taken..request.inputs.len()).filter(|&i| request.alias_of(i).is_none()).count();
        let bindings = dispatch.bindings.len() + extra + self.made() - 1;
        let fits = bindings <= request.capabilities.max_storage_buffers as usize;
        (writers.next().is_none() && self.inner.emits() && fits).then_some(at)
    }

    /// What the operation is asked for.
    fn inner_outputs(&self, request: &KernelRequest<'_>) -> Vec<KernelOperand> {
        let raw = KernelOperand { dtype: self.raw.0, layout: Layout::contiguous(&self.raw.1) };
        std::iter::once(raw).chain(request.outputs[self.made()..].iter().cloned()).collect()
    }

    fn inner_request<'a>(
        &self,
        request: &KernelRequest<'a>,
        outputs: &'a [KernelOperand],
    ) -> KernelRequest<'a> {
        let inputs = &request.inputs[..self.taken];
        KernelRequest { inputs, outputs, aliases: &[], capabilities: request.capabilities }
    }

    /// Renumbers the operation's outputs; output 0 becomes `first`.
    fn renumber(&self, lowering: &mut Lowering, first: BindTo) {
        for binding in lowering.dispatches.iter_mut().flat_map(|d| &mut d.bindings) {
            match binding {
                BindTo::Output(0) => *binding = first,
                BindTo::Output(o) => *o += self.made() - 1,
                _ => {}
            }
        }
    }

    /// The kernel calls the body where it would store.
    fn fused(&self, mut lowering: Lowering, writer: usize, request: &KernelRequest<'_>) -> Lowering {
        let dispatch = &mut lowering.dispatches[writer];
        let slot = dispatch.bindings.iter().position(|b| *b == BindTo::Output(0)).unwrap_or(0);
        let out = |o: usize| format!("out{o}");
        let mut text = storage(slot + 1, &out(0), request.outputs[0].dtype, true);
        let mut sources = vec![Source::Value("value")];
        for (i, input) in request.inputs.iter().enumerate().skip(self.taken) {
            let name = match request.alias_of(i) {
                Some(o) => out(o),
                None => {
                    let name = format!("in{i}");
                    dispatch.bindings.push(BindTo::Input(i));
                    text.push_str(&storage(dispatch.bindings.len(), &name, input.dtype, false));
                    name
                }
            };
            sources.push(Source::Buffer(name, input.dtype, &input.layout));
        }
        let mut made = Vec::new();
        for (o, output) in request.outputs.iter().enumerate().take(self.made()) {
            if o > 0 {
                // Marked apart from the operation's own outputs, which are renumbered below.
                made.push(BindTo::Output(o));
                text.push_str(&storage(dispatch.bindings.len() + made.len(), &out(o), output.dtype, true));
            }
        }
        let stores: Vec<Store<'_>> = request.outputs[..self.made()]
            .iter()
            .enumerate()
            .map(|(o, output)| Store(out(o), output.dtype, &output.layout))
            .collect();
        let mut words = Words::new("fused", dispatch.params.fused().len());
        let statements = self.body.statements("at", &sources, &stores, &mut words);
        text.push_str(&format!(
            "\n// {}\nfn emit(at: u32, value: f32) {{\n{statements}}}\n",
            self.body.name()
        ));
        if request.inputs.iter().chain(request.outputs).any(|o| o.dtype == DType::F16) {
            text.insert_str(0, "enable f16;\n");
            dispatch.kernel.needs.f16 = true;
        }
        dispatch.kernel.name = format!("{}_{}", dispatch.kernel.name, self.body.name());
        compose(dispatch, "epilogue", &self.body, &text, words.values());
        self.renumber(&mut lowering, BindTo::Output(0));
        lowering.dispatches[writer].bindings.extend(made);
        lowering
    }

    /// A dispatch of its own for the body, where the kernel's store cannot be replaced.
    fn apart(&self, mut lowering: Lowering, request: &KernelRequest<'_>) -> Result<Lowering, String> {
        let raw = lowering.scratch.len();
        lowering
            .scratch
            .push(Scratch { dtype: self.raw.0, count: crate::tensor::element_count(&self.raw.1) });
        self.renumber(&mut lowering, BindTo::Scratch(raw));
        let space = request.outputs[0].layout.shape();
        let first = KernelOperand { dtype: self.raw.0, layout: Layout::contiguous(space) };
        let inputs: Vec<KernelOperand> =
            std::iter::once(first).chain(request.inputs[self.taken..].iter().cloned()).collect();
        let aliases: Vec<(usize, usize)> =
            request.aliases.iter().map(|&(i, o)| (i + 1 - self.taken, o)).collect();
        let steps = self.body.lower(&KernelRequest {
            inputs: &inputs,
            outputs: &request.outputs[..self.made()],
            aliases: &aliases,
            capabilities: request.capabilities,
        })?;
        for mut dispatch in steps.into_iter().flat_map(|l| l.dispatches) {
            for binding in &mut dispatch.bindings {
                match binding {
                    BindTo::Input(0) => *binding = BindTo::ScratchRead(raw),
                    BindTo::Input(i) => *i += self.taken - 1,
                    _ => {}
                }
            }
            lowering.dispatches.push(dispatch);
        }
        Ok(lowering)
    }
}

impl Op for Epilogue {
    fn name(&self) -> &str {
        &self.name
    }

    fn attributes(&self) -> String {
        format!("{} {:?}", self.inner.attributes(), self.body)
    }

    fn infer(&self, inputs: &[Meta]) -> Result<Vec<Meta>, String> {
        let inner = self.inner.infer(&inputs[..self.taken])?;
        let shape = inner.first().map(|m| m.shape.clone()).unwrap_or_default();
        let made = self.body.outputs.iter().map(|&s| Meta::new(self.body.steps[s].dtype, &shape));
        Ok(made.chain(inner.iter().skip(1).cloned()).collect())
    }

    fn reference(&self, inputs: &[Reference], outputs: &mut [Reference]) -> Result<(), String> {
        let (made, others) = outputs.split_at_mut(self.made());
        let count = crate::tensor::element_count(&self.raw.1);
        let raw = Reference { dtype: self.raw.0, shape: self.raw.1.clone(), data: vec![f64::NAN; count] };
        let mut inner: Vec<Reference> = std::iter::once(raw).chain(others.iter().cloned()).collect();
        self.inner.reference(&inputs[..self.taken], &mut inner)?;
        let mut inner = inner.into_iter();
        let mut raw = inner.next().ok_or("the operation has no output")?;
        raw.data.iter_mut().for_each(|v| *v = self.raw.0.round(*v));
        others.iter_mut().zip(inner).for_each(|(to, from)| *to = from);
        let inputs: Vec<Reference> =
            std::iter::once(raw).chain(inputs[self.taken..].iter().cloned()).collect();
        Fused::new(self.body.clone()).reference(&inputs, made)
    }

    /// The operation's result goes to the memory of an output of the same size, and the steps run over it there.
    fn cpu(&self, io: &mut CpuIo<'_>) -> Result<bool, String> {
        let (made, others) = io.outputs.split_at_mut(self.made());
        let count = crate::tensor::element_count(&self.raw.1);
        let (taken, extra) = io.inputs.split_at(self.taken);
        let held = |o: usize| extra.iter().any(|e| matches!(e.data, Slice::InOutput(held) if held == o));
        let room = made
            .iter()
            .enumerate()
            .position(|(o, out)| matches!(&out.data, SliceMut::F32(s) if s.len() == count) && !held(o));
        let mut own = Vec::new();
        let raw = match room {
            Some(o) => made[o].f32(),
            None => {
                own.resize(count, 0.0);
                Some(own.as_mut_slice())
            }
        };
        let Some(raw) = raw else { return Ok(false) };
        let mut outputs = vec![CpuOutput { shape: &self.raw.1, data: SliceMut::F32(raw) }];
        outputs.extend(others.iter_mut().map(CpuOutput::reborrow));
        let mut inner = CpuIo { inputs: taken.to_vec(), outputs };
        if !self.inner.cpu(&mut inner)? {
            return Ok(false);
        }
        drop(inner);
        let whole = Layout::contiguous(made.first().map_or(&[][..], |o| o.shape));
        let data = room.map_or(Slice::F32(&own), Slice::InOutput);
        let mut inputs = vec![CpuInput { dtype: self.raw.0, layout: &whole, data }];
        inputs.extend_from_slice(extra);
        self.body.run(&mut CpuIo { inputs, outputs: made.iter_mut().map(CpuOutput::reborrow).collect() });
        Ok(true)
    }

    fn kernels(&self, request: &KernelRequest<'_>) -> Result<Vec<Lowering>, String> {
        let outputs = self.inner_outputs(request);
        let inner = self.inner_request(request, &outputs);
        let attach = |lowering: Lowering| match self.writer(&lowering, request) {
            Some(writer) => Ok(self.fused(lowering, writer, request)),
            None => self.apart(lowering, request),
        };
        self.inner.kernels(&inner)?.into_iter().map(attach).collect()
    }

    fn note(&self, request: &KernelRequest<'_>, variant: &str) -> Option<String> {
        self.inner.note(&self.inner_request(request, &self.inner_outputs(request)), variant)
    }

    fn cost(&self, inputs: &[(DType, Layout)], outputs: &[(DType, Layout)]) -> Cost {
        let (made, others) = outputs.split_at(self.made());
        let raw = (self.raw.0, Layout::contiguous(&self.raw.1));
        let inner: Vec<_> = std::iter::once(raw.clone()).chain(others.iter().cloned()).collect();
        let inner = self.inner.cost(&inputs[..self.taken], &inner);
        let bytes =
            |v: &[(DType, Layout)]| v.iter().map(|(d, l)| (d.bytes() * l.count()) as f64).sum::<f64>();
        let steps = self.body.steps.len() as f64 * raw.1.count() as f64;
        // The result itself is not written.
        let bytes = inner.bytes - bytes(&[raw]) + bytes(&inputs[self.taken..]) + bytes(made);
        Cost { flops: inner.flops + steps, bytes }
    }

    fn accepts(&self, input: usize, layout: &Layout) -> bool {
        input >= self.taken || self.inner.accepts(input, layout)
    }

    fn in_place(&self) -> Vec<(usize, usize)> {
        let extra = self.body.inputs().saturating_sub(1);
        (0..extra).flat_map(|i| (0..self.made()).map(move |o| (self.taken + i, o))).collect()
    }

    fn in_rows(&self, rows: usize, shapes: &[Vec<usize>]) -> Option<Rows> {
        let (taken, extra) = shapes.split_at(self.taken);
        let (inner, mut dims) = self.inner.in_rows(rows, taken)?;
        // What the steps read is walked in their own shape: its first dimension must be that of the result.
        if extra.iter().any(|s| s.first() != self.raw.1.first()) {
            return None;
        }
        dims.extend(extra.iter().map(|_| Some(0)));
        let mut raw = self.raw.clone();
        *raw.1.first_mut()? = rows;
        Some((Arc::new(Self { inner, raw, ..self.clone() }), dims))
    }

    fn packed(&self) -> Vec<std::ops::Range<usize>> {
        self.inner.packed()
    }

    fn loads(&self, input: usize, shapes: &[Vec<usize>]) -> Option<Load> {
        if input < self.taken { self.inner.loads(input, &shapes[..self.taken]) } else { None }
    }

    fn indices(&self, inputs: &[Vec<usize>]) -> Option<(usize, usize)> {
        self.inner.indices(&inputs[..self.taken])
    }
}
