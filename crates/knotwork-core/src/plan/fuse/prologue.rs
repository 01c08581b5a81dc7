//! Elementwise work enters the operation that alone reads it.

use std::sync::Arc;

use super::{Fuser, Group};
use crate::{
    DType,
    ops::{Load, fused::Prologue},
    plan::bind::is_whole,
};

/// Steps that a kernel repeats where it reads an element more than once.
const MAX_REPEATED: usize = 6;

impl Fuser<'_> {
    /// Lets operations load through the steps that make their inputs, where that saves bytes.
    pub(super) fn prologues(&mut self) {
        for reader in 0..self.draft.work.len() {
            let mut input = 0;
            while !self.gone[reader] && input < self.draft.work[reader].inputs.len() {
                if !self.load_through(reader, input) {
                    input += 1;
                }
            }
        }
    }

    /// Takes the work that makes an input into its reader; `false` where it stays.
    fn load_through(&mut self, reader: usize, input: usize) -> bool {
        let read = &self.draft.work[reader];
        let operand = read.inputs[input].clone();
        let shapes: Vec<Vec<usize>> = read.inputs.iter().map(|o| o.layout.shape().to_vec()).collect();
        let (Some(load), Some(maker)) = (read.op.loads(input, &shapes), self.uses.writer[operand.root])
        else {
            return false;
        };
        let Some(Group { anchor: None, body }) = self.groups[maker].clone() else { return false };
        let made = &self.draft.work[maker];
        let root = &self.draft.roots[operand.root];
        let alone = made.outputs.len() == 1
            && is_whole(&made.outputs[0].layout, root.count)
            && root.dtype == DType::F32
            && !made.inputs.is_empty()
            && !self.uses.needed_beside(operand.root, reader)
            && read.inputs.iter().filter(|o| o.root == operand.root).count() == 1;
        let buffers = read.inputs.len() - 1 + made.inputs.len() + read.outputs.len();
        if !alone || buffers > self.buffers || !self.saves(maker, &load, body.steps.len()) {
            return false;
        }
        let shape = made.outputs[0].layout.shape().to_vec();
        let taken = read.inputs.len();
        let op = Prologue::new(read.op.clone(), taken, (input, operand.layout), shape, body);
        let mut inputs = read.inputs.clone();
        inputs.remove(input);
        inputs.extend(made.inputs.iter().cloned());
        for root in made.inputs.iter().map(|o| o.root) {
            self.uses.readers[root].retain(|&w| w != maker);
            self.uses.add_reader(root, reader);
        }
        self.uses.writer[operand.root] = None;
        let nodes = std::mem::take(&mut self.draft.work[maker].nodes);
        let work = &mut self.draft.work[reader];
        work.nodes.splice(0..0, nodes);
        (work.op, work.inputs) = (Arc::new(op), inputs);
        self.gone[maker] = true;
        true
    }

    /// Whether reading what the steps need as often as the kernel asks moves fewer bytes than storing their result.
    fn saves(&self, maker: usize, load: &Load, steps: usize) -> bool {
        let made = &self.draft.work[maker];
        let bytes = |o: &super::Operand| {
            let root = &self.draft.roots[o.root];
            root.dtype.bytes() * o.layout.count().min(root.count)
        };
        let needed: usize = made.inputs.iter().map(bytes).sum();
        let result: usize = made.outputs.iter().map(bytes).sum();
        let repeated = load.times > 1 && steps > MAX_REPEATED;
        !repeated && load.times * needed < needed + (1 + load.times) * result
    }
}
