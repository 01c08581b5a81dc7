//! A sum of padded parts that together fill the whole is the parts, side by side; so is what joins values.

use std::sync::Arc;

use super::{Rule, single, uses::Uses};
use crate::{
    ops::{Role, elementwise},
    plan::{
        Capabilities, DeviceKind,
        work::{Draft, Operand, Work},
    },
    tensor::Layout,
};

/// The gradients of slices are padded to the size of what was sliced, and added. Where the slices were all of it and
/// did not overlap, each is copied straight into its place; fusing may then write it there in the first place. On the
/// CPU outputs are contiguous, and the sum stays. (A −0 stays −0, where the sum with zeros made it 0.) `concat` is split
/// into such copies where something may write a part into its place; else its own kernel takes several parts at once.
pub(super) const RULE: Rule = Rule {
    name: "join",
    about: "a sum of padded parts that fill the whole without overlap, or a concat of values that are computed, becomes \
            copies into the whole's places",
    apply,
};

/// More parts than this are no gradient of slices that somebody wrote.
const MOST: usize = 256;

/// A part of the sum: what is copied, and where it begins in the whole.
struct Part {
    from: Operand,
    start: Vec<usize>,
    work: usize,
}

impl Part {
    fn end(&self, dim: usize) -> usize {
        self.start[dim] + self.from.layout.shape()[dim]
    }

    fn overlaps(&self, other: &Self) -> bool {
        (0..self.start.len()).all(|d| self.start[d] < other.end(d) && other.start[d] < self.end(d))
    }
}

fn apply(draft: &mut Draft, capabilities: &Capabilities) -> usize {
    if capabilities.kind == DeviceKind::Cpu {
        return 0;
    }
    let uses = Uses::of(draft);
    let mut gone = vec![false; draft.work.len()];
    // Copies by the work that they follow: right behind what makes the part, which fusing can then let write it.
    let mut copies: Vec<Vec<Work>> = vec![Vec::new(); draft.work.len()];
    let mut count = 0;
    // From the last sum on, so that a sum of sums is seen before the sums in it.
    for k in (0..draft.work.len()).rev() {
        let mut sums = vec![k];
        let found = match draft.work[k].op.role() {
            _ if gone[k] => None,
            Some(Role::Concat { dim }) => joined(draft, &uses, k, dim),
            _ if is_sum(draft, k) => parts(draft, &uses, k, &mut sums),
            _ => None,
        };
        let Some((shape, parts)) = found else { continue };
        sums.into_iter().for_each(|k| gone[k] = true);
        let whole = Operand { root: draft.work[k].outputs[0].root, layout: Layout::contiguous(&shape) };
        for part in parts {
            let made = part.work;
            let copy = copy_into(draft, &uses, part, &whole);
            let maker = uses.writers[copy.inputs[0].root].iter().max();
            copies[*maker.unwrap_or(&made)].push(copy);
        }
        count += 1;
    }
    draft.work.iter_mut().zip(&gone).filter(|(_, gone)| **gone).for_each(|(work, _)| work.outputs.clear());
    let work = std::mem::take(&mut draft.work);
    draft.work =
        work.into_iter().zip(copies).flat_map(|(work, copies)| [vec![work], copies].concat()).collect();
    count
}

fn is_sum(draft: &Draft, k: usize) -> bool {
    single(draft, k).is_some_and(|step| step.function.row.name == "add") && draft.work[k].inputs.len() == 2
}

/// The parts of what joins values and the shape of the whole, where one of them is made by work that could store it in
/// its place: nobody else sees it, and it is elementwise or stores through `emit`.
fn joined(draft: &Draft, uses: &Uses, k: usize, dim: usize) -> Option<(Vec<usize>, Vec<Part>)> {
    let work = &draft.work[k];
    let storable = |(i, part): (usize, &Operand)| {
        let maker = uses.maker(draft, part).map(|made| &draft.work[made].op);
        uses.only_reader(part.root) == Some((k, i))
            && maker.is_some_and(|op| op.emits() || op.body().is_some())
    };
    if work.inputs.len() > MOST || !work.inputs.iter().enumerate().any(storable) {
        return None;
    }
    let shape = work.outputs[0].layout.shape().to_vec();
    let mut begin = 0;
    let mut parts = Vec::with_capacity(work.inputs.len());
    for from in &work.inputs {
        let mut start = vec![0; shape.len()];
        start[dim] = begin;
        begin += from.layout.shape()[dim];
        if from.layout.count() > 0 {
            parts.push(Part { from: from.clone(), start, work: k });
        }
    }
    (!parts.is_empty()).then_some((shape, parts))
}

/// The parts that a sum is of, and the shape of the whole; the sums within it that only it reads are added to `sums`.
fn parts(draft: &Draft, uses: &Uses, k: usize, sums: &mut Vec<usize>) -> Option<(Vec<usize>, Vec<Part>)> {
    let mut shape: Option<Vec<usize>> = None;
    let mut parts: Vec<Part> = Vec::new();
    let mut at = 0;
    while let Some(&sum) = sums.get(at) {
        at += 1;
        for (i, operand) in draft.work[sum].inputs.iter().enumerate() {
            let made = whole_maker(draft, uses, operand)?;
            if uses.only_reader(operand.root) != Some((sum, i)) {
                return None;
            }
            if is_sum(draft, made) {
                sums.push(made);
                continue;
            }
            let whole = draft.work[made].outputs[0].layout.shape();
            if *shape.get_or_insert_with(|| whole.to_vec()) != whole || parts.len() == MOST {
                return None;
            }
            parts.push(unpadded(draft, uses, made)?);
        }
    }
    let shape = shape?;
    let elements: usize = parts.iter().map(|p| p.from.layout.count()).sum();
    let apart = parts.iter().enumerate().all(|(i, a)| parts[..i].iter().all(|b| !a.overlaps(b)));
    let same_count = draft.work[k].outputs[0].layout.count() == elements;
    (same_count && apart && shape.iter().product::<usize>() == elements && elements > 0)
        .then_some((shape, parts))
}

/// The work that made all that an operand shows, whatever shape it is shown in.
fn whole_maker(draft: &Draft, uses: &Uses, operand: &Operand) -> Option<usize> {
    let [k] = uses.writers[operand.root][..] else { return None };
    let made = &draft.work[k].outputs[0];
    let all = operand.layout.is_contiguous() && operand.layout.count() == draft.roots[operand.root].count;
    (all && uses.maker(draft, made) == Some(k)).then_some(k)
}

/// What stands between the zeros of a padding, or of paddings of one another.
fn unpadded(draft: &Draft, uses: &Uses, mut k: usize) -> Option<Part> {
    let mut start = vec![0; draft.work[k].outputs[0].layout.shape().len()];
    let mut part = None;
    while let Some(Role::Pad { dim, before }) = draft.work[k].op.role() {
        start[dim] += before;
        let from = &draft.work[k].inputs[0];
        part = Some((from.clone(), k));
        match uses.maker(draft, from) {
            Some(inner) if uses.only_reader(from.root).is_some() => k = inner,
            _ => break,
        }
    }
    part.map(|(from, work)| Part { from, start, work })
}

/// The copy of a part into its place. What a copy brought into order for the padding is copied from where it was.
fn copy_into(draft: &Draft, uses: &Uses, part: Part, whole: &Operand) -> Work {
    let dtype = draft.roots[whole.root].dtype;
    let place =
        (0..part.start.len()).fold(whole.layout.clone(), |l, d| l.slice(d, part.start[d], part.end(d)));
    let earlier = whole_maker(draft, uses, &part.from)
        .filter(|&k| single(draft, k).is_some_and(|step| step.function.row.name == "copy"))
        .map(|k| &draft.work[k].inputs[0])
        .and_then(|from| Some((from.clone(), place.reshape(from.layout.shape())?)));
    let (from, place) = earlier.unwrap_or((part.from, place));
    Work {
        op: Arc::new(elementwise::copy(dtype)),
        site: draft.work[part.work].site,
        inputs: vec![from],
        outputs: vec![Operand { root: whole.root, layout: place }],
        aliases: Vec::new(),
        nodes: draft.work[part.work].nodes.clone(),
    }
}
