//! Elements whose last dimension splits into groups of channels, each with coefficients of its own; and sums over each
//! group, in one order whoever makes them.

use rayon::prelude::*;

use crate::{
    DType, Dim, Layout,
    graph::Meta,
    ops::{elementwise::vectorised, reduce::sum_of_parts},
    plan::{BindTo, DispatchSpec, Grid, Kernel, Lowering, Params, Scratch},
};

/// Elements of a group that one workgroup, or one task, sums at least.
const SPAN: usize = 4096;
/// The most parts that a group's sum is split into.
const PARTS: usize = 4096;

/// How elements belong to groups: element i to group i / per mod groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ops) struct Groups {
    /// How many there are.
    pub groups: usize,
    /// Channels of each; one group takes all elements.
    pub per: usize,
    /// Elements of each.
    pub elements: usize,
}

impl Groups {
    /// Of a shape.
    pub fn of(shape: &[usize], groups: usize) -> Self {
        let count: usize = shape.iter().product();
        let per = if groups <= 1 { count } else { shape.last().copied().unwrap_or(1) / groups };
        Self { groups, per: per.max(1), elements: count / groups.max(1) }
    }

    /// Of an input.
    pub fn of_layout(layout: &Layout, groups: usize) -> Self {
        Self::of(layout.shape(), groups)
    }

    /// Whether the last dimension of x splits into so many groups.
    pub fn check(x: &Meta, groups: usize) -> Result<(), String> {
        if groups == 1 {
            return Ok(());
        }
        let last = x.shape.dims().last().ok_or("x has no dimension to split into groups")?;
        match last.divide(&Dim::from(groups)) {
            Some(_) => Ok(()),
            None => Err(format!("the last dimension of x is {last}; it does not split into {groups} groups")),
        }
    }

    /// The group of an element.
    pub fn group(&self, element: usize) -> usize {
        element / self.per % self.groups
    }

    /// The place of a group's element.
    fn place(&self, group: usize, element: usize) -> usize {
        (element / self.per * self.groups + group) * self.per + element % self.per
    }

    fn parts(&self) -> usize {
        self.elements.div_ceil(SPAN).clamp(1, PARTS)
    }
}

/// For each group `terms` sums over its elements: `add` is given a run of elements of x and u and the group, and sums.
/// Runs are the same whatever the number of threads, and their sums are added in order, in f64.
pub(in crate::ops) fn sums(
    groups: Groups,
    terms: usize,
    (x, u): (&[f32], &[f32]),
    add: impl Fn(usize, &[f32], &[f32], &mut [f32]) + Sync,
    out: &mut [f32],
) {
    let runs = groups.elements.div_ceil(SPAN);
    let run = |k: usize| {
        let (group, first) = (k / runs, k % runs * SPAN);
        let last = (first + SPAN).min(groups.elements);
        let mut held = (Vec::with_capacity(last - first), Vec::with_capacity(last - first));
        let mut at = first;
        while at < last {
            let here = (groups.per - at % groups.per).min(last - at);
            let place = groups.place(group, at);
            held.0.extend_from_slice(&x[place..place + here]);
            held.1.extend_from_slice(&u[place..place + here]);
            at += here;
        }
        let mut sums = vec![0.0f32; terms];
        vectorised(
            #[inline(always)]
            || add(group, &held.0, &held.1, &mut sums),
        );
        sums
    };
    let all = groups.groups * runs;
    let partial: Vec<Vec<f32>> =
        if all < 8 { (0..all).map(run).collect() } else { (0..all).into_par_iter().map(run).collect() };
    for (group, out) in out.chunks_mut(terms.max(1)).enumerate() {
        for (j, out) in out.iter_mut().enumerate() {
            let of_group = partial.iter().skip(group * runs).take(runs);
            *out = of_group.map(|sums| f64::from(sums[j])).sum::<f64>() as f32;
        }
    }
}

/// The dispatches of such sums on a GPU: a workgroup a group and part, then the parts in their order. The kernel's params
/// are groups, per, elements, parts, span, and three words of its own.
pub(in crate::ops) fn sums_in_two_stages(
    groups: Groups,
    terms: usize,
    kernel: Kernel,
    inputs: usize,
    words: [usize; 3],
) -> Lowering {
    let parts = groups.parts();
    let params = Params::new().u32(groups.groups).u32(groups.per).u32(groups.elements).u32(parts);
    let params = params.u32(groups.elements.div_ceil(parts)).u32(words[0]).u32(words[1]).u32(words[2]);
    let first = |to: BindTo| DispatchSpec {
        kernel: kernel.clone(),
        bindings: (0..inputs).map(BindTo::Input).chain([to]).collect(),
        params: params.clone(),
        grid: Grid::Linear((groups.groups * parts) as u64),
        flat: None,
    };
    if parts == 1 {
        return Lowering::single("tree", first(BindTo::Output(0)));
    }
    let outputs = groups.groups * terms;
    Lowering {
        variant: "two_stages",
        scratch: vec![Scratch { dtype: DType::F32, count: outputs * parts }],
        dispatches: vec![
            first(BindTo::Scratch(0)),
            sum_of_parts(outputs, parts, BindTo::ScratchRead(0), BindTo::Output(0)),
        ],
    }
}
