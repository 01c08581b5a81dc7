//! How long it takes to plan a large graph.

use std::time::Instant;

use knotwork::{
    Graph, HostTensor, Result, Tensor,
    graph::Update,
    plan::{Capabilities, Plan, PlanOptions},
    prelude::DType,
};

/// Plans are made so often; the quickest counts, because whatever else runs on the machine only adds.
const ROUNDS: usize = 5;

/// Milliseconds that it takes to plan a training step of so many nodes, forward, backward and updates: the least of
/// five plans for a portable GPU, each from the graph to the list of dispatches.
///
/// # Errors
/// Where the graph cannot be made or planned: the fault would be the library's.
pub fn planning(nodes: usize) -> anyhow::Result<f64> {
    let deep = Deep::new(nodes)?;
    let mut least = f64::INFINITY;
    for _ in 0..ROUNDS {
        let before = Instant::now();
        let plan = deep.plan(PlanOptions::default())?;
        least = least.min(before.elapsed().as_secs_f64() * 1e3);
        drop(plan);
    }
    Ok(least)
}

/// A training step with products, reductions, views and elementwise functions in turn.
#[derive(Debug)]
pub struct Deep {
    /// The graph.
    pub graph: Graph,
    loss: Tensor,
    updates: Vec<Update>,
}

impl Deep {
    /// A graph of at least so many nodes, and few more.
    ///
    /// # Errors
    /// None that the number of nodes could cause.
    pub fn new(nodes: usize) -> Result<Self> {
        // Every four blocks are alike, so their nodes can be counted.
        let (one, two) = (Self::of_blocks(4, 0)?.graph.len(), Self::of_blocks(8, 0)?.graph.len());
        let fours = nodes.saturating_sub(one) / (two - one) + 1;
        let begun = Self::of_blocks(4 * fours, 0)?.graph.len();
        // One more step on the loss is a constant and a function, forward and backward.
        Self::of_blocks(4 * fours, nodes.saturating_sub(begun).div_ceil(2))
    }

    fn of_blocks(blocks: usize, steps: usize) -> Result<Self> {
        const W: usize = 16;
        let graph = Graph::new();
        let x = graph.input("x", DType::F32, [8, W])?;
        let (mut h, mut loss) = (x.clone(), graph.constant(DType::F32, 0.0)?);
        let mut parameters = Vec::new();
        let mut parameter = |name: String, shape: &[usize]| -> Result<Tensor> {
            let value = HostTensor::new(&vec![0.1f32; shape.iter().product()], shape)?;
            parameters.push(graph.parameter(&name, value)?);
            Ok(parameters[parameters.len() - 1].clone())
        };
        for block in 0..blocks {
            let w = parameter(format!("w{block}"), &[W, W])?;
            h = match block % 4 {
                0 => h.matmul(&w)?.add(&parameter(format!("b{block}"), &[W])?)?.gelu()?.add(&h)?,
                1 => h.transpose(0, 1)?.exp()?.mul(0.01)?.transpose(0, 1)?.matmul(&w)?.tanh()?,
                2 => h.sub(&h.mean(&[-1], true)?)?.softmax(-1)?.mul(&h)?.matmul(&w)?,
                _ => {
                    let (a, b) = (h.slice(-1, 0, W / 2)?, h.slice(-1, W / 2, W)?);
                    let gate = a.sigmoid()?.mul(&b)?.sum(&[-1], true)?;
                    loss = loss.add(&gate.square()?.mean(&[0, 1], false)?)?;
                    h.mul(&gate)?.matmul(&w)?.silu()?.add(&h)?
                }
            };
        }
        loss = loss.add(&h.square()?.mean(&[0, 1], false)?)?;
        let gradients = loss.grad(&parameters.iter().collect::<Vec<_>>())?;
        let updates = parameters
            .iter()
            .zip(&gradients)
            .map(|(p, d)| graph.assign(p, &p.sub(&d.mul(0.01)?)?))
            .collect::<Result<_>>()?;
        for _ in 0..steps {
            loss = loss.mul(0.99)?;
        }
        Ok(Self { graph, loss, updates })
    }

    /// Its plan for a portable GPU.
    ///
    /// # Errors
    /// None that the number of nodes could cause.
    pub fn plan(&self, options: PlanOptions) -> Result<Plan> {
        let updates: Vec<&Update> = self.updates.iter().collect();
        self.graph.plan(&[&self.loss], &updates, &[].into(), &Capabilities::portable(), options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn graphs_have_the_size_that_was_asked_for() {
        for nodes in [300, 1000, 5000] {
            let made = Deep::new(nodes).unwrap().graph.len();
            assert!((nodes..nodes + 3).contains(&made), "{made} for {nodes}");
        }
    }

    #[test]
    fn a_large_plan_reuses_memory_and_is_the_same_each_time() {
        let plan = |options| Deep::new(1000).unwrap().plan(options).unwrap();
        let reused = plan(PlanOptions::default());
        let apart = plan(PlanOptions { no_alias: true, ..PlanOptions::default() });
        println!(
            "{} dispatches, {} B for {} B",
            reused.dispatches.len(),
            reused.arena_bytes(),
            reused.live_peak
        );
        assert!(reused.arena_bytes() < apart.arena_bytes() / 2);
        assert_eq!(reused.to_string(), plan(PlanOptions::default()).to_string());
    }

    /// Its time is the benchmark's; here that nothing in it grows faster than the graph.
    #[test]
    fn a_plan_of_5000_nodes_is_four_of_1250() {
        let plan = |nodes| Deep::new(nodes).unwrap().plan(PlanOptions::default()).unwrap();
        let (small, large) = (plan(1250), plan(5000));
        let sizes = |plan: &Plan| [plan.steps.len(), plan.dispatches.len(), plan.arena_bytes()];
        println!("{:?}, {:?}", sizes(&small), sizes(&large));
        for (small, large) in sizes(&small).into_iter().zip(sizes(&large)) {
            assert!(large <= 5 * small, "{large} for 5,000 nodes, {small} for 1,250");
        }
        assert!(large.dispatches.len() >= 3 * small.dispatches.len());
    }
}
