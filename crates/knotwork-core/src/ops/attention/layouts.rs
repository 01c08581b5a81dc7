//! Tests: queries, keys, values and cotangents are read wherever they lie.

use super::*;
use crate::{
    DType, Graph,
    ops::testing::*,
    plan::{Capabilities, PlanOptions},
};

const B: usize = 2;
const L: usize = 5;
const H: usize = 3;
const D: usize = 9;

/// Views as [B, H, L, D], each with the name and the shape of the input behind it.
struct Views {
    graph: Graph,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    dy: Tensor,
    feeds: Vec<(&'static str, Vec<usize>)>,
}

fn input(
    graph: &Graph,
    feeds: &mut Vec<(&'static str, Vec<usize>)>,
    name: &'static str,
    shape: &[usize],
) -> Tensor {
    feeds.push((name, shape.to_vec()));
    graph.input(name, DType::F32, shape.to_vec()).unwrap()
}

/// Slices of [B, L, 3 H D] and a cotangent in the same order.
fn packed() -> Views {
    let (graph, mut feeds) = (Graph::new(), Vec::new());
    let all = input(&graph, &mut feeds, "packed", &[B, L, 3 * H * D]);
    let heads = |t: &Tensor| t.reshape([B, L, H, D]).unwrap().permute(&[0, 2, 1, 3]).unwrap();
    let [q, k, v] = [0, 1, 2].map(|i| heads(&all.slice(-1, i * H * D, (i + 1) * H * D).unwrap()));
    let dy = heads(&input(&graph, &mut feeds, "dy", &[B, L, H * D]));
    Views { graph, q, k, v, dy, feeds }
}

/// Keys stored as columns, values that are the same for all heads, one query for all rows, elements of a cotangent apart.
fn apart() -> Views {
    let (graph, mut feeds) = (Graph::new(), Vec::new());
    let q = input(&graph, &mut feeds, "q", &[B, H, 1, D]).broadcast_to([B, H, L, D]).unwrap();
    let k = input(&graph, &mut feeds, "k", &[B, H, D, L]).transpose(2, 3).unwrap();
    let v = input(&graph, &mut feeds, "v", &[B, 1, L, D]).broadcast_to([B, H, L, D]).unwrap();
    let dy = input(&graph, &mut feeds, "dy", &[D, B, L, H]).permute(&[1, 3, 2, 0]).unwrap();
    Views { graph, q, k, v, dy, feeds }
}

/// A cotangent that is one number.
fn one_cotangent() -> Views {
    let mut views = packed();
    views.feeds.pop();
    views.dy =
        input(&views.graph, &mut views.feeds, "one", &[1, 1, 1, 1]).broadcast_to([B, H, L, D]).unwrap();
    views
}

fn options() -> Vec<Attention> {
    let new = Attention::new;
    vec![
        new().mask(Mask::causal()),
        new().normalizer(Normalizer::Sparsemax).softcap(2.0),
        new().normalizer(Normalizer::Entmax15).alibi(true).top_k(4),
    ]
}

/// The output and the gradients to the views.
fn found(views: &Views, [q, k, v, dy]: [&Tensor; 4], options: &Attention) -> Vec<Tensor> {
    let y = q.attention(k, v, options).unwrap();
    let mut all = views.graph.vjp(&[(&y, dy)], &[q, k, v]).unwrap();
    all.insert(0, y);
    all
}

#[test]
fn views_are_read_where_they_lie() {
    for views in [packed(), apart(), one_cotangent()] {
        for options in options() {
            let parts = [&views.q, &views.k, &views.v, &views.dy];
            let all = found(&views, parts, &options);
            let outputs: Vec<&Tensor> = all.iter().collect();
            for capabilities in [Capabilities::portable(), Capabilities::cpu()] {
                let plan = views
                    .graph
                    .plan(&outputs, &[], &[].into(), &capabilities, PlanOptions::default())
                    .unwrap();
                let mut names: Vec<&str> = plan.steps.iter().map(|s| s.op.name()).collect();
                names.sort_unstable();
                let gradient = ["key", "query", "value"].map(|of| format!("attention_{of}_gradient"));
                assert_eq!(names, [&["attention".to_owned()][..], &gradient].concat(), "{plan}");
            }
        }
    }
}

#[test]
fn views_give_what_contiguous_tensors_give() {
    for views in [packed(), apart(), one_cotangent()] {
        let feeds: Vec<_> = (views.feeds.iter().enumerate())
            .map(|(i, (name, shape))| (*name, host(&wave(shape, i as f64).to_f64(), shape)))
            .collect();
        let parts = [&views.q, &views.k, &views.v, &views.dy];
        let names = ["dense q", "dense k", "dense v", "dense dy"];
        let dense = both(&views.graph, &parts, &feeds);
        let given: Vec<_> = names.iter().zip(&dense).map(|(n, t)| (*n, host(t, &[B, H, L, D]))).collect();
        let inputs = names.map(|name| views.graph.input(name, DType::F32, [B, H, L, D]).unwrap());
        for options in options() {
            let strided = found(&views, parts, &options);
            let got = both(&views.graph, &strided.iter().collect::<Vec<_>>(), &feeds);
            let contiguous = found(&views, inputs.each_ref(), &options);
            let want = both(&views.graph, &contiguous.iter().collect::<Vec<_>>(), &given);
            assert_eq!(got, want);
            assert!(want.iter().all(|t| t.iter().any(|x| *x != 0.0)), "nothing was compared");
        }
    }
}
