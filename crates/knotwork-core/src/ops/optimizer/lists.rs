//! How the inputs of an update are laid out: a few scalars, then lists of tensors of one length (all parameters, all
//! gradients, all states).

use std::ops::Range;

use crate::{
    DType,
    cpu::{CpuInput, CpuIo, CpuOutput, Slice},
    graph::Meta,
    ops::elementwise::vectorised,
    plan::{BindTo, DispatchSpec, Flat, Grid, Kernel, KernelRequest, Lowering, Params},
};

/// Threads of a workgroup; each takes one element.
const GROUP: usize = 256;
/// Elements that one task of the CPU path takes.
const TILE: usize = 16 << 10;

/// `head` scalars, then `lists` lists of `tensors` tensors each.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Lists {
    pub head: usize,
    pub tensors: usize,
    pub lists: usize,
}

impl Lists {
    /// Input `tensor` of list `list`.
    pub fn at(&self, list: usize, tensor: usize) -> usize {
        self.head + list * self.tensors + tensor
    }

    /// The range of the inputs of one list.
    pub fn range(&self, list: usize) -> Range<usize> {
        self.at(list, 0)..self.at(list + 1, 0)
    }

    /// That scalars and lists fit; gives the outputs: a copy of each list but the gradients', which is list 1.
    pub fn infer(&self, inputs: &[Meta], integers: &[usize]) -> Result<Vec<Meta>, String> {
        let Self { head, tensors, lists } = *self;
        if tensors == 0 || inputs.len() != head + lists * tensors {
            return Err(format!(
                "it takes {head} scalars and {lists} lists of {tensors} tensors (at least one), got {} inputs",
                inputs.len()
            ));
        }
        for (i, m) in inputs[..head].iter().enumerate() {
            let fits = if integers.contains(&i) { m.dtype == DType::I32 } else { m.dtype.is_float() };
            if m.shape.rank() != 0 || !fits {
                let want = if integers.contains(&i) { "i32" } else { "float" };
                return Err(format!("input {i} is {m}; it must be one {want}"));
            }
        }
        for list in 0..lists {
            for t in 0..tensors {
                let (p, other) = (&inputs[self.at(0, t)], &inputs[self.at(list, t)]);
                if p != other || !p.dtype.is_float() {
                    return Err(format!("input {} is {other}, its parameter is {p}", self.at(list, t)));
                }
            }
        }
        let outputs = (0..lists).filter(|&l| l != 1).flat_map(|l| inputs[self.range(l)].to_vec());
        Ok(outputs.collect())
    }

    /// The list of outputs that belongs to a list of inputs: there is none of gradients.
    fn output_list(list: usize) -> usize {
        if list == 0 { 0 } else { list - 1 }
    }

    /// Every parameter and state is written where it lies.
    pub fn in_place(&self) -> Vec<(usize, usize)> {
        (0..self.lists)
            .filter(|&l| l != 1)
            .flat_map(|l| (0..self.tensors).map(move |t| (l, t)))
            .map(|(l, t)| (self.at(l, t), Self::output_list(l) * self.tensors + t))
            .collect()
    }

    /// One flat dispatch a tensor, all alike but for the count: the planner joins those that lie side by side.
    pub fn lower(
        &self,
        request: &KernelRequest<'_>,
        variant: &'static str,
        kernel: &Kernel,
        params: impl Fn(u32) -> Params,
    ) -> Result<Lowering, String> {
        let mut lowering = Lowering { variant, scratch: Vec::new(), dispatches: Vec::new() };
        for t in 0..self.tensors {
            let operand = &request.inputs[self.at(0, t)];
            if operand.dtype != DType::F32 {
                return Err(format!("it updates f32 on a GPU, parameter {t} is {}", operand.dtype));
            }
            let count = operand.layout.count();
            let small = u32::try_from(count).map_err(|_| format!("parameter {t} has {count} elements"))?;
            if count == 0 {
                continue;
            }
            let mut bindings: Vec<BindTo> = (0..self.head).map(BindTo::Input).collect();
            let mut copies: Vec<(usize, usize)> = Vec::new();
            for list in 0..self.lists {
                let input = self.at(list, t);
                if list == 1 {
                    bindings.push(BindTo::Input(input));
                    continue;
                }
                let output = Self::output_list(list) * self.tensors + t;
                if request.alias_of(input).is_none() {
                    copies.push((input, output));
                }
                bindings.push(BindTo::Output(output));
            }
            // Where the planner gives an output memory of its own, the old value is brought there first.
            for (input, output) in copies {
                lowering.dispatches.push(DispatchSpec {
                    kernel: Kernel::named("optimizer/copy", Vec::new()),
                    bindings: vec![BindTo::Input(input), BindTo::Output(output)],
                    params: Params::new().u32(small).u32(0u32).u32(0u32).u32(0u32),
                    grid: Grid::Linear(count.div_ceil(GROUP) as u64),
                    flat: None,
                });
            }
            lowering.dispatches.push(DispatchSpec {
                kernel: kernel.clone(),
                bindings,
                params: params(small),
                grid: Grid::Linear(count.div_ceil(GROUP) as u64),
                flat: Some(Flat { count, per_group: GROUP, word: 0 }),
            });
        }
        Ok(lowering)
    }

    /// Runs `f` on tiles of every tensor: (parameter, gradient, states). `None` where something is no f32.
    pub fn cpu<const STATES: usize>(
        &self,
        io: &mut CpuIo<'_>,
        f: impl Fn(&mut [f32], &[f32], [&mut [f32]; STATES]) + Sync,
    ) -> Option<()> {
        let CpuIo { inputs, outputs } = io;
        let mut lists: Vec<std::slice::IterMut<'_, CpuOutput<'_>>> =
            outputs.chunks_mut(self.tensors).map(<[_]>::iter_mut).collect();
        for t in 0..self.tensors {
            let gradient = inputs[self.at(1, t)].f32()?;
            let mut written = lists.iter_mut().enumerate().map(|(l, list)| {
                let list_in = if l == 0 { 0 } else { l + 1 };
                current(&inputs[self.at(list_in, t)], list.next()?)
            });
            let parameter = written.next()??;
            let states: Vec<&mut [f32]> = written.collect::<Option<_>>()?;
            let states: [&mut [f32]; STATES] = states.try_into().ok()?;
            tiles(parameter, gradient, states, &f);
        }
        Some(())
    }
}

/// The output, holding the input's values: they lie there already where both share their memory.
fn current<'a>(input: &CpuInput<'_>, output: &'a mut CpuOutput<'_>) -> Option<&'a mut [f32]> {
    let to = output.f32()?;
    if !matches!(input.data, Slice::InOutput(_)) {
        to.copy_from_slice(input.f32()?);
    }
    Some(to)
}

fn tiles<const STATES: usize>(
    p: &mut [f32],
    g: &[f32],
    states: [&mut [f32]; STATES],
    f: &(impl Fn(&mut [f32], &[f32], [&mut [f32]; STATES]) + Sync),
) {
    if p.len() <= TILE {
        vectorised(
            #[inline(always)]
            || f(p, g, states),
        );
        return;
    }
    let middle = (p.len() / 2).next_multiple_of(TILE).min(p.len());
    let (p0, p1) = p.split_at_mut(middle);
    let (g0, g1) = g.split_at(middle);
    let mut rest: Vec<&mut [f32]> = Vec::with_capacity(STATES);
    let first = states.map(|s| {
        let (a, b) = s.split_at_mut(middle);
        rest.push(b);
        a
    });
    let mut rest = rest.into_iter();
    let second: [&mut [f32]; STATES] = std::array::from_fn(|_| rest.next().unwrap_or_default());
    rayon::join(|| tiles(p0, g0, first, f), || tiles(p1, g1, second, f));
}
