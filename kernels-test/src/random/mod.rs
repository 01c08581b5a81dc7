//! Random graphs: elementwise functions, views, reductions and products over each other's results, with gradients and
//! an update. However a plan fuses them and shares memory, the values are those of the oracle.

mod instruction;

use std::collections::BTreeMap;

use knotwork::{
    DType, Dim, Graph, HostTensor, Tensor, Update, cpu::evaluate, plan::PlanOptions, tensor::Binding,
};

pub use instruction::{Instruction, Pick};

use crate::{
    backends::Backend,
    caught, compare,
    fill::{Random, tensor},
};

/// What may differ, relative to max(1, the largest element of the tensor): some tens of roundings in f32.
const TOLERANCE: f64 = 2e-5;

/// The sizes of the first dimension of `x` and the second of `y`, one for each run of a program; each run takes the
/// parameter that the one before has updated. Where that dimension has a name, a plan is made for each size; where it
/// has none, all runs take the first.
const STEPS: [usize; 4] = [3, 3, 2, 3];

/// A graph that was made by instructions.
#[derive(Debug)]
pub struct RandomGraph {
    graph: Graph,
    outputs: Vec<Tensor>,
    update: Update,
    updated: Tensor,
    /// The value of the parameter before the first run.
    parameter: HostTensor,
    /// The inputs of each run.
    feeds: Vec<BTreeMap<&'static str, HostTensor>>,
}

impl RandomGraph {
    /// Follows the instructions; one that does not fit the shapes it meets is left out.
    ///
    /// # Errors
    /// Where gradients or the update cannot be made.
    pub fn new(instructions: &[Instruction], seed: u64) -> knotwork::Result<Self> {
        let graph = Graph::new();
        let mut random = Random(seed);
        let named = random.below(2) == 1;
        let rows = if named { Dim::named("n") } else { STEPS[0].into() };
        let parameter = tensor(DType::F32, &random.signed(12), &[4, 3])?;
        let mut pool = vec![
            graph.input("x", DType::F32, [rows.clone(), 4.into()])?,
            graph.input("y", DType::F32, [2.into(), rows, 4.into()])?,
            graph.parameter("w", parameter.clone())?,
        ];
        let mut feeds = Vec::new();
        for n in STEPS.map(|n| if named { n } else { STEPS[0] }) {
            let x = tensor(DType::F32, &random.signed(n * 4), &[n, 4])?;
            let y = tensor(DType::F32, &random.signed(n * 8), &[2, n, 4])?;
            feeds.push(BTreeMap::from([("x", x), ("y", y)]));
        }
        let leaves = pool.clone();
        // Some graphs have checkpoint regions, each around a few instructions, or around two such regions.
        let (few, nested) = [(usize::MAX, false), (3, false), (2, true)][random.below(3)];
        let mut all = instructions.iter();
        while all.len() > 0 {
            let mut follow = || {
                for instruction in all.by_ref().take(few) {
                    // Refusals are for other tests; here they only mean that the instruction is left out.
                    if let Some(made) = instruction.apply(&pool).ok().filter(|t| size(t) <= 400) {
                        pool.push(made);
                    }
                }
                Ok(())
            };
            match (few, nested) {
                (usize::MAX, _) => follow()?,
                (_, false) => graph.checkpoint(follow)?,
                (_, true) => graph.checkpoint(|| {
                    graph.checkpoint(&mut follow)?;
                    graph.checkpoint(&mut follow)
                })?,
            }
        }
        // Every value counts, the leaves as well, so that nothing is dead and every input is read.
        let mut loss = graph.constant(DType::F32, 0.0)?;
        for t in &pool {
            let dims: Vec<isize> = (0..t.rank() as isize).collect();
            loss = loss.add(&t.mean(&dims, false)?)?;
        }
        let gradients = loss.grad(&leaves.iter().collect::<Vec<_>>())?;
        let updated = leaves[2].sub(&gradients[2].mul(0.1)?)?;
        let update = graph.assign(&leaves[2], &updated)?;
        let mut outputs: Vec<Tensor> = pool.iter().rev().take(3).cloned().collect();
        outputs.push(loss);
        outputs.extend(gradients);
        Ok(Self { graph, outputs, update, updated, parameter, feeds })
    }

    /// Runs some steps on a device under some knobs and compares each with the oracle's.
    ///
    /// # Errors
    /// A text that names the step, the output and its worst element.
    pub fn check(&self, backend: &Backend, options: PlanOptions) -> Result<(), String> {
        let say = |e: knotwork::Error| e.to_string();
        let outputs: Vec<&Tensor> = self.outputs.iter().collect();
        let program = backend.device.compile(&self.graph, &outputs, &[&self.update]).map_err(say)?;
        let mut program = program.with_options(options);
        let mut parameter = self.parameter.clone();
        let with_update: Vec<&Tensor> = outputs.iter().copied().chain([&self.updated]).collect();
        for (step, feeds) in self.feeds.iter().enumerate() {
            let given = feeds.iter().map(|(n, v)| (*n, v));
            let got = program.run(given).map_err(say)?.wait().map_err(say)?;
            let mut known = feeds.clone();
            known.insert("w", parameter);
            let mut want = evaluate(&self.graph, &with_update, &known).map_err(say)?;
            let next = want.pop().ok_or("the oracle gave nothing")?;
            for (i, (got, want)) in got.iter().zip(&want).enumerate() {
                let largest = want.to_f64().iter().fold(1.0, |m: f64, x| m.max(x.abs()));
                compare(got, want, |_| TOLERANCE * largest)
                    .map_err(|e| format!("{} {options:?}, step {step}, output {i} {e}", backend.name))?;
            }
            parameter = next;
        }
        Ok(())
    }
}

fn size(t: &Tensor) -> usize {
    let largest = Binding::from([("n".into(), STEPS[0])]);
    t.shape().bind(&largest).map_or(usize::MAX, |s| s.iter().product())
}

/// The knobs under which values must agree.
#[must_use]
pub fn knobs() -> [PlanOptions; 5] {
    let knob = |(no_fuse, no_alias, no_rewrite)| PlanOptions {
        no_fuse,
        no_alias,
        no_rewrite,
        ..PlanOptions::default()
    };
    [
        (false, false, false),
        (true, true, true),
        (true, false, false),
        (false, true, false),
        (false, false, true),
    ]
    .map(knob)
}

/// Makes `count` graphs and checks each on every backend. `failed` is told of each that does not hold; the number of
/// those is given back.
pub fn run(count: usize, backends: &[Backend], mut failed: impl FnMut(&str)) -> usize {
    let mut wrong = 0;
    for seed in 0..count as u64 {
        let mut random = Random(seed);
        let instructions: Vec<Instruction> = (0..4 + random.below(16))
            .map(|_| {
                let mut pick = || random.below(usize::from(u16::MAX)) as u16;
                Instruction { what: pick(), pick: Pick(pick(), pick(), pick()) }
            })
            .collect();
        let checked = caught(|| {
            let graph = RandomGraph::new(&instructions, seed).map_err(|e| e.to_string())?;
            backends
                .iter()
                .try_for_each(|b| knobs().into_iter().try_for_each(|options| graph.check(b, options)))
        });
        if let Err(message) = checked {
            wrong += 1;
            failed(&format!("graph {seed}: {message}"));
        }
    }
    wrong
}
