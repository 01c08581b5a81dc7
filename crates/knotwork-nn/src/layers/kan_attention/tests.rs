use knotwork_core::{
    DType, Device, Dim, Graph, HostTensor, Tensor,
    cpu::evaluate,
    ops::{Attention, Mask},
};

use super::*;
use crate::{Generator, Kan};

const BATCH: usize = 2;
const TOKENS: usize = 4;
const WIDTH: usize = 6;

fn sample() -> HostTensor {
    Generator::new(4).normal(&[BATCH, TOKENS, WIDTH], 0.0, 1.0).unwrap()
}

/// x Wᵀ + b of rows of WIDTH numbers.
fn affine(x: &[f64], weight: &[f64], bias: &[f64]) -> Vec<f64> {
    x.chunks(WIDTH)
        .flat_map(|x| {
            (0..WIDTH).map(move |o| bias[o] + (0..WIDTH).map(|i| x[i] * weight[o * WIDTH + i]).sum::<f64>())
        })
        .collect()
}

/// A layer's definition in f64; `weights` of a row of scores.
fn heads_of(
    [q, k, v]: [Vec<f64>; 3],
    heads: usize,
    weights: impl Fn(usize, usize, &[f64]) -> Vec<f64>,
) -> Vec<f64> {
    let each = WIDTH / heads;
    let mut y = vec![0.0; BATCH * TOKENS * WIDTH];
    for b in 0..BATCH {
        for h in 0..heads {
            let at = |t: usize, d: usize| (b * TOKENS + t) * WIDTH + h * each + d;
            for i in 0..TOKENS {
                let score =
                    |j| (0..each).map(|d| q[at(i, d)] * k[at(j, d)]).sum::<f64>() / (each as f64).sqrt();
                let scores: Vec<f64> = (0..TOKENS).map(score).collect();
                let w = weights(h, i, &scores);
                for d in 0..each {
                    y[at(i, d)] = (0..TOKENS).map(|j| w[j] * v[at(j, d)]).sum();
                }
            }
        }
    }
    y
}

fn close(got: &[f64], want: &[f64]) {
    assert_eq!(got.len(), want.len());
    for (a, b) in got.iter().zip(want) {
        assert!((a - b).abs() <= 1e-5 * b.abs().max(1.0), "{a}, by definition {b}");
    }
}

#[test]
fn scores_go_through_the_learned_functions() {
    for (heads, shared) in [(3, false), (2, true), (1, false)] {
        let g = Graph::new();
        let x = g.input("x", DType::F32, [BATCH, TOKENS, WIDTH]).unwrap();
        let layer = KanAttention::new(&g, "a", TOKENS, WIDTH, heads).rank(2).shared_heads(shared).seed(3);
        let layer = layer.build().unwrap();
        let y = layer.forward(&x).unwrap();
        let mut program = Device::cpu().compile(&g, &[&y], &[]).unwrap();
        let bias = Generator::new(8).normal(&[WIDTH], 0.0, 0.3).unwrap();
        program.params().set("a.q.bias", &bias).unwrap();
        let out = program.run([("x", sample())]).unwrap().wait().unwrap()[0].to_f64();
        let read = |name: &str| program.params().get(name).unwrap().to_f64();
        let linear = |x: &[f64], what: &str| {
            affine(x, &read(&format!("a.{what}.weight")), &read(&format!("a.{what}.bias")))
        };
        let x = sample().to_f64();
        let (coef, project) = (read("a.coef"), read("a.project"));
        let n = layer.basis.count();
        let joined = heads_of(["q", "k", "v"].map(|what| linear(&x, what)), heads, |h, _, scores| {
            let h = if shared { 0 } else { h };
            let low = |s: usize| -> f64 {
                let of = |(l, a): (usize, &f64)| -> f64 {
                    let functions = layer.basis.evaluate(*a, 0).unwrap();
                    functions
                        .iter()
                        .enumerate()
                        .map(|(m, f)| f * coef[((h * TOKENS + l) * n + m) * 2 + s])
                        .sum()
                };
                scores.iter().enumerate().map(of).sum()
            };
            (0..TOKENS).map(|j| (0..2).map(|s| low(s) * project[(h * 2 + s) * TOKENS + j]).sum()).collect()
        });
        close(&out, &linear(&joined, "out"));
    }
}

#[test]
fn projections_are_kan_layers() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [Dim::named("batch"), Dim::named("tokens"), WIDTH.into()]).unwrap();
    let layer =
        KanQkvAttention::new(&g, "a", WIDTH, 2).kan(|k| k.grid(4).range(-2, 2).spline_scale(0.8)).seed(5);
    let layer = layer.build().unwrap();
    let y = layer.forward(&x, &Attention::new().mask(Mask::causal())).unwrap();
    let mut program = Device::cpu().compile(&g, &[&y], &[]).unwrap();
    let out = program.run([("x", sample())]).unwrap().wait().unwrap()[0].to_f64();
    let values: Vec<Vec<f64>> = layer
        .kans()
        .iter()
        .map(|kan: &Kan| {
            let network = kan.network(program.params()).unwrap();
            let edges: Vec<Vec<Vec<f64>>> = (0..WIDTH)
                .map(|i| {
                    let column: Vec<f64> = sample().to_f64().chunks(WIDTH).map(|row| row[i]).collect();
                    (0..WIDTH).map(|o| network.edge_values(0, i, o, &column).unwrap()).collect()
                })
                .collect();
            (0..BATCH * TOKENS)
                .flat_map(|r| {
                    let edges = &edges;
                    (0..WIDTH).map(move |o| (0..WIDTH).map(|i| edges[i][o][r]).sum())
                })
                .collect()
        })
        .collect();
    let [q, k, v] = <[Vec<f64>; 3]>::try_from(values).unwrap();
    let joined = heads_of([q, k, v], 2, |_, i, scores| {
        let e: Vec<f64> =
            scores.iter().enumerate().map(|(j, s)| if j <= i { s.exp() } else { 0.0 }).collect();
        let sum: f64 = e.iter().sum();
        e.iter().map(|e| e / sum).collect()
    });
    let read = |name: &str| program.params().get(name).unwrap().to_f64();
    close(&out, &affine(&joined, &read("a.out.weight"), &read("a.out.bias")));
}

#[test]
fn gradients_agree_with_central_differences() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [BATCH, TOKENS, WIDTH]).unwrap();
    let own = KanAttention::new(&g, "a", TOKENS, WIDTH, 2).rank(2).build().unwrap();
    let kan =
        KanQkvAttention::new(&g, "b", WIDTH, 2).kan(|k| k.range(-3, 3).spline_scale(0.5)).build().unwrap();
    let y = kan.forward(&own.forward(&x).unwrap().tanh().unwrap(), &Attention::new()).unwrap();
    let weights = Generator::new(6).normal(&[BATCH, TOKENS, WIDTH], 0.0, 1.0).unwrap();
    let loss = y.mul(g.tensor(weights).unwrap()).unwrap().sum(&[0, 1, 2], false).unwrap();
    let parameters: Vec<&Tensor> = own.parameters().into_iter().chain(kan.parameters()).collect();
    let wanted: Vec<&Tensor> = std::iter::once(&x).chain(parameters.iter().copied()).collect();
    let d = loss.grad(&wanted).unwrap();
    // The slope along a direction by the gradient on the CPU, and by differences of the loss there. In f32 the step is
    // large: what differs is of its square, and of the rounding of the loss over it.
    let outputs: Vec<&Tensor> = std::iter::once(&loss).chain(&d).collect();
    let mut program = Device::cpu().compile(&g, &outputs, &[]).unwrap();
    let first = program.run([("x", sample())]).unwrap().wait().unwrap();
    let want = evaluate(&g, &[&loss], &[("x", sample())].into()).unwrap()[0].to_f64()[0];
    assert!((first[0].to_f64()[0] - want).abs() < 1e-4 * want.abs().max(1.0));
    let names = program.params().list().into_iter().map(|p| p.name.to_string()).collect::<Vec<_>>();
    assert_eq!(names.len(), parameters.len());
    for name in &names {
        let at = program.params().get(name).unwrap();
        let place =
            parameters.iter().position(|p| g.slots()[g.slot_of(p, Site::here()).unwrap().0].name == *name);
        let gradient = first[2 + place.unwrap()].to_f64();
        let direction = Generator::named(9, name).normal(at.shape(), 0.0, 1.0).unwrap().to_f64();
        let slope: f64 = gradient.iter().zip(&direction).map(|(g, d)| g * d).sum();
        let mut moved = |h: f64| {
            let to: Vec<f64> = at.to_f64().iter().zip(&direction).map(|(v, d)| v + h * d).collect();
            program.params().set(name, &HostTensor::new(&to, at.shape()).unwrap().cast(DType::F32)).unwrap();
            program.run([("x", sample())]).unwrap().wait().unwrap()[0].to_f64()[0]
        };
        let h = 1e-2 / (direction.len() as f64).sqrt();
        // Two steps: the error of the square goes.
        let near = (moved(h) - moved(-h)) / (2.0 * h);
        let far = (moved(2.0 * h) - moved(-2.0 * h)) / (4.0 * h);
        moved(0.0);
        let difference = (4.0 * near - far) / 3.0;
        let scale = gradient.iter().map(|g| g * g).sum::<f64>().sqrt().max(1.0);
        assert!(
            (slope - difference).abs() < 2e-2 * scale,
            "{name}: slope {slope}, by differences {difference}"
        );
    }
}

#[test]
fn what_cannot_be_built_or_taken_is_refused() {
    let g = Graph::new();
    let text = |b: KanAttentionBuilder| b.build().unwrap_err().to_string();
    assert!(
        text(KanAttention::new(&g, "a", 0, 6, 2))
            .starts_with("KanAttention `a`: 0 tokens, rank 12; both must be")
    );
    assert!(text(KanAttention::new(&g, "a", 4, 6, 2).rank(0)).contains("4 tokens, rank 0"));
    assert!(text(KanAttention::new(&g, "a", 4, 6, 4)).contains("4 heads of a width of 6"));
    assert!(text(KanAttention::new(&g, "a", 4, 6, 0)).contains("0 heads"));
    let text = |b: KanQkvAttentionBuilder| b.build().unwrap_err().to_string();
    assert!(
        text(KanQkvAttention::new(&g, "b", 6, 4)).starts_with("KanQkvAttention `b`: 4 heads of a width of 6")
    );
    assert!(text(KanQkvAttention::new(&g, "b", 6, 2).kan(|k| k.grid(0))).contains("grid is 0"));
    let wider = KanQkvAttention::new(&g, "b", 6, 2).kan(|k| k.multiply(0, [2]));
    assert!(text(wider).contains("outputs; there must be 6, the width"));
    assert!(g.is_empty(), "nothing was added to the graph");
    let own = KanAttention::new(&g, "a", 4, 6, 2).build().unwrap();
    let kan = KanQkvAttention::new(&g, "b", 6, 2).build().unwrap();
    let x = g.input("x", DType::F32, [2, 5, 6]).unwrap();
    assert!(own.forward(&x).unwrap_err().to_string().contains("x is f32[2, 5, 6]; it must be [B, 4, 6]"));
    let x = g.input("z", DType::F32, [2, 5, 7]).unwrap();
    assert!(kan.forward(&x, &Attention::new()).unwrap_err().to_string().contains("it must be [B, N, 6]"));
}
