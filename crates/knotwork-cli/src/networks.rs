//! Reference networks: what `knotwork explain` prints, `knotwork bench` times and the tests on plans count.

use std::collections::BTreeMap;

use knotwork::{
    Dim, Graph, HostTensor, Result, Tensor,
    graph::Update,
    nn::{AdamW, Kan, Linear, Sgd},
    ops::{Attention, Conv2d, Mask},
    plan::{Capabilities, Feed, PlanOptions},
    prelude::DType,
};

/// A graph with what a program over it computes.
#[derive(Debug)]
pub struct Network {
    /// The graph.
    pub graph: Graph,
    /// The values that a run gives.
    pub outputs: Vec<Tensor>,
    /// What a run assigns.
    pub updates: Vec<Update>,
}

impl Network {
    /// Values for every input, the same in every run: labels are classes, everything else is spread around 0.
    ///
    /// # Errors
    /// None that a user could cause: the shapes are fixed.
    pub fn feeds(&self) -> Result<BTreeMap<String, HostTensor>> {
        let outputs: Vec<&Tensor> = self.outputs.iter().collect();
        let updates: Vec<&Update> = self.updates.iter().collect();
        let options = PlanOptions::default();
        let plan = self.graph.plan(&outputs, &updates, &[].into(), &Capabilities::cpu(), options)?;
        let value = |(k, feed): (usize, &Feed)| {
            let value = if feed.dtype == DType::I32 {
                let count = feed.shape.iter().product::<usize>();
                HostTensor::new(&(0..count as i32).map(|i| i * 7 % 10).collect::<Vec<_>>(), &feed.shape)
            } else {
                spread(&feed.shape, 1.0, k + 11)
            };
            Ok((feed.name.clone(), value?))
        };
        plan.feeds.iter().enumerate().map(value).collect()
    }
}

/// A reference network by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Name {
    /// Twelve elementwise operations, one after the other.
    Chain12,
    /// gelu(x W + b) + r.
    GeluLinearResidual,
    /// A training step of a perceptron: 64-256-10, gelu, cross-entropy, AdamW.
    Mlp,
    /// A training step of a KAN: 64-32-10, cubic, grid 3, cross-entropy, AdamW.
    Kan,
    /// A training step of a convolutional network: three stages with stride 2, cross-entropy, SGD.
    Conv,
    /// A transformer block, forward and backward from a given cotangent.
    Transformer,
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let value = clap::ValueEnum::to_possible_value(self);
        f.pad(value.as_ref().map_or("network", |v| v.get_name()))
    }
}

impl Name {
    /// All of them.
    #[cfg(test)]
    pub const ALL: [Self; 6] =
        [Self::Chain12, Self::GeluLinearResidual, Self::Mlp, Self::Kan, Self::Conv, Self::Transformer];

    /// Builds it.
    ///
    /// # Errors
    /// None that a user could cause: the shapes are fixed.
    pub fn build(self) -> Result<Network, anyhow::Error> {
        Ok(match self {
            Self::Chain12 => chain()?,
            Self::GeluLinearResidual => gelu_linear_residual()?,
            Self::Mlp => mlp()?,
            Self::Kan => kan()?,
            Self::Conv => conv()?,
            Self::Transformer => transformer()?,
        })
    }
}

/// Values spread over -scale..scale without a pattern, the same in every run.
fn spread(shape: &[usize], scale: f64, seed: usize) -> Result<HostTensor> {
    let count: usize = shape.iter().product();
    let value = |i: usize| {
        // The mixing function of splitmix64 (Steele, Lea and Flood 2014).
        let mut z = ((seed as u64) << 32 | i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (scale * (((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 52) as f64 - 1.0)) as f32
    };
    HostTensor::new(&(0..count).map(value).collect::<Vec<f32>>(), shape)
}

fn chain() -> Result<Network> {
    let graph = Graph::new();
    let x = graph.input("x", DType::F32, [64, 64])?;
    let y = x.mul(0.5)?.add(1.0)?.gelu()?.neg()?.tanh()?.square()?;
    let y = y.add(&x)?.sigmoid()?.mul(&x)?.softplus(1.0)?.sub(0.25)?.abs()?;
    Ok(Network { graph, outputs: vec![y], updates: Vec::new() })
}

fn gelu_linear_residual() -> Result<Network> {
    let graph = Graph::new();
    let x = graph.input("x", DType::F32, [64, 64])?;
    let r = graph.input("r", DType::F32, [64, 128])?;
    let w = graph.parameter("w", spread(&[64, 128], 0.1, 1)?)?;
    let b = graph.parameter("b", spread(&[128], 0.1, 2)?)?;
    let y = x.matmul(&w)?.add(&b)?.gelu()?.add(&r)?;
    Ok(Network { graph, outputs: vec![y], updates: Vec::new() })
}

fn mlp() -> Result<Network, anyhow::Error> {
    let graph = Graph::new();
    let x = graph.input("x", DType::F32, [64, 64])?;
    let labels = graph.input("labels", DType::I32, [64])?;
    let hidden = Linear::new(&graph, "hidden", 64, 256).seed(1).build()?;
    let head = Linear::new(&graph, "head", 256, 10).seed(2).build()?;
    let loss = head.forward(&hidden.forward(&x)?.gelu()?)?.cross_entropy(&labels)?;
    let step = AdamW::new(1e-3).minimize(&loss)?;
    Ok(Network { graph, outputs: vec![loss], updates: vec![step] })
}

fn kan() -> Result<Network, anyhow::Error> {
    let graph = Graph::new();
    let x = graph.input("x", DType::F32, [64, 64])?;
    let labels = graph.input("labels", DType::I32, [64])?;
    let model = Kan::new(&graph, "kan", [64, 32, 10]).grid(3).order(3).seed(7).build()?;
    let loss = model.forward(&x)?.cross_entropy(&labels)?;
    let step = AdamW::new(1e-2).minimize(&loss)?;
    Ok(Network { graph, outputs: vec![loss], updates: vec![step] })
}

fn conv() -> Result<Network, anyhow::Error> {
    let graph = Graph::new();
    let x = graph.input("x", DType::F32, [8, 3, 32, 32])?;
    let labels = graph.input("labels", DType::I32, [8])?;
    let mut h = x;
    for (stage, (from, to)) in [(3, 16), (16, 32), (32, 64)].into_iter().enumerate() {
        let scale = 1.0 / f64::from(from as u32 * 9).sqrt();
        let w = graph.parameter(&format!("conv{stage}.weight"), spread(&[to, from, 3, 3], scale, stage)?)?;
        let b = graph.parameter(&format!("conv{stage}.bias"), spread(&[to], scale, stage + 3)?)?;
        h = h.conv2d(&w, Some(&b), &Conv2d::new().stride(2).padding(1))?.relu()?;
    }
    let head = Linear::new(&graph, "head", 64, 10).seed(3).build()?;
    let loss = head.forward(&h.mean(&[2, 3], false)?)?.cross_entropy(&labels)?;
    let step = Sgd::new(1e-2).minimize(&loss)?;
    Ok(Network { graph, outputs: vec![loss], updates: vec![step] })
}

/// Batch 2, length 128, width 256, 4 heads: RMSNorm, packed causal attention, RMSNorm, a gelu perceptron, residuals.
fn transformer() -> Result<Network> {
    const B: usize = 2;
    const L: usize = 128;
    const W: usize = 256;
    const H: usize = 4;
    let graph = Graph::new();
    let x = graph.input("x", DType::F32, [B, L, W])?;
    let dy = graph.input("dy", DType::F32, [B, L, W])?;
    let parameter = |name: &str, shape: &[usize], seed: usize| {
        graph.parameter(name, spread(shape, 1.0 / (shape[shape.len() - 1] as f64).sqrt(), seed)?)
    };
    let norm1 = graph.parameter("norm1.weight", HostTensor::new(&[1.0f32; W], [W])?)?;
    let (wqkv, bqkv) = (parameter("qkv.weight", &[3 * W, W], 1)?, parameter("qkv.bias", &[3 * W], 2)?);
    let (wo, bo) = (parameter("out.weight", &[W, W], 3)?, parameter("out.bias", &[W], 4)?);
    let norm2 = graph.parameter("norm2.weight", HostTensor::new(&[1.0f32; W], [W])?)?;
    let (w1, b1) = (parameter("up.weight", &[4 * W, W], 5)?, parameter("up.bias", &[4 * W], 6)?);
    let (w2, b2) = (parameter("down.weight", &[W, 4 * W], 7)?, parameter("down.bias", &[W], 8)?);

    let qkv = x.rms_norm(Some(&norm1), 1e-6)?.linear(&wqkv, Some(&bqkv))?;
    let part = |i: usize| -> Result<Tensor> {
        let heads: [Dim; 4] = [B.into(), L.into(), H.into(), (W / H).into()];
        qkv.slice(-1, i * W, (i + 1) * W)?.reshape(heads)?.permute(&[0, 2, 1, 3])
    };
    let heads = part(0)?.attention(&part(1)?, &part(2)?, &Attention::new().mask(Mask::causal()))?;
    let joined = heads.permute(&[0, 2, 1, 3])?.reshape([B, L, W])?;
    let h = joined.linear(&wo, Some(&bo))?.add(&x)?;
    let up = h.rms_norm(Some(&norm2), 1e-6)?.linear(&w1, Some(&b1))?.gelu()?;
    let y = up.linear(&w2, Some(&b2))?.add(&h)?;
    let wanted = [&x, &norm1, &wqkv, &bqkv, &wo, &bo, &norm2, &w1, &b1, &w2, &b2];
    let mut outputs = graph.vjp(&[(&y, &dy)], &wanted)?;
    outputs.insert(0, y);
    Ok(Network { graph, outputs, updates: Vec::new() })
}

#[cfg(test)]
mod tests {
    use knotwork::{Device, cpu::evaluate, plan::Plan};

    use super::*;

    fn plan(name: Name, options: PlanOptions) -> Plan {
        let n = name.build().unwrap();
        let outputs: Vec<&Tensor> = n.outputs.iter().collect();
        let updates: Vec<&Update> = n.updates.iter().collect();
        n.graph.plan(&outputs, &updates, &[].into(), &Capabilities::portable(), options).unwrap()
    }

    #[test]
    fn fused_plans_are_short() {
        for (name, most) in [
            (Name::Chain12, 1),
            (Name::GeluLinearResidual, 1),
            (Name::Mlp, 9),
            (Name::Kan, 10),
            (Name::Conv, 21),
            (Name::Transformer, 24),
        ] {
            let fused = plan(name, PlanOptions::default());
            let unfused = plan(name, PlanOptions { no_fuse: true, ..PlanOptions::default() });
            println!("{name:?}: {} fused, {} not\n{fused}", fused.dispatches.len(), unfused.dispatches.len());
            assert!(fused.dispatches.len() <= most, "{name:?}: {fused}");
            assert!(fused.dispatches.len() < unfused.dispatches.len(), "{name:?}: {unfused}");
        }
    }

    fn agree(name: Name, device: &Device) {
        let n = name.build().unwrap();
        let outputs: Vec<&Tensor> = n.outputs.iter().collect();
        let updates: Vec<&Update> = n.updates.iter().collect();
        let feeds = n.feeds().unwrap();
        let lent = feeds.iter().map(|(k, v)| (k.as_str(), v.clone())).collect();
        let want = evaluate(&n.graph, &outputs, &lent).unwrap();
        for no_fuse in [true, false] {
            let options = PlanOptions { no_fuse, ..PlanOptions::default() };
            let mut program = device.compile(&n.graph, &outputs, &updates).unwrap().with_options(options);
            let got = program.run(feeds.iter().map(|(k, v)| (k.as_str(), v))).unwrap().wait().unwrap();
            for (k, (got, want)) in got.iter().zip(&want).enumerate() {
                let size = want.to_f64().iter().fold(0.0f64, |m, v| m.max(v.abs()));
                for (a, b) in got.to_f64().iter().zip(want.to_f64()) {
                    assert!(
                        (a - b).abs() <= 2e-5 * size,
                        "{name:?}, output {k}, no_fuse {no_fuse}: {a}, not {b}"
                    );
                }
            }
        }
    }

    #[test]
    fn fused_and_unfused_agree_with_the_oracle_on_the_cpu() {
        Name::ALL.into_iter().for_each(|name| agree(name, &Device::cpu()));
    }

    #[cfg(feature = "gpu")]
    #[test]
    fn fused_and_unfused_agree_with_the_oracle_on_a_gpu() {
        let device = knotwork::gpu::open(&knotwork::gpu::Options::default()).unwrap();
        Name::ALL.into_iter().for_each(|name| agree(name, &device));
    }

    /// Bytes of the arena over the least that they could be, and the same without reuse.
    fn over_bound(name: Name) -> (f64, f64) {
        let ratio = |no_alias| {
            let reused = plan(name, PlanOptions { no_alias, ..PlanOptions::default() });
            let least = plan(name, PlanOptions::default()).live_peak;
            reused.arena_bytes() as f64 / least as f64
        };
        (ratio(false), ratio(true))
    }

    #[test]
    fn memory_is_close_to_what_is_alive_at_once() {
        for (name, most) in
            [(Name::Mlp, 1.15), (Name::Kan, 1.15), (Name::Conv, 1.3), (Name::Transformer, 1.15)]
        {
            let (reused, apart) = over_bound(name);
            println!("{name:?}: {reused:.3} of the bound, {apart:.3} without reuse");
            assert!(reused <= most && reused < apart, "{name:?}: {reused}");
        }
    }

    /// All that plans say, kernels and bindings as well.
    fn plans() -> String {
        let all = Name::ALL.map(|name| {
            let plan = plan(name, PlanOptions::default());
            format!("{name:?}: {plan}\n{:?}\n{:?}\n", plan.dispatches, plan.submits)
        });
        all.concat()
    }

    /// What another process prints for the test below.
    #[test]
    #[ignore = "prints plans for the test beside it"]
    fn print_plans() {
        println!("PLANS{}SNALP", plans());
    }

    /// Every process, and every hash map in it, hashes with a key of its own.
    #[test]
    fn the_same_network_gives_the_same_bytes_of_plan_in_every_process() {
        let here = plans();
        assert_eq!(here, plans());
        for _ in 0..2 {
            let other = std::process::Command::new(std::env::current_exe().unwrap())
                .args(["networks::tests::print_plans", "--exact", "--ignored", "--nocapture"])
                .output()
                .unwrap();
            let text = String::from_utf8(other.stdout).unwrap();
            let there = text.split_once("PLANS").and_then(|(_, t)| t.split_once("SNALP")).map(|(t, _)| t);
            assert_eq!(there, Some(here.as_str()));
        }
    }
}
