//! Plans as text, JSON and pictures.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in tests a panic is the report")]

use knotwork_core::{
    DType, Device, Graph, HostTensor, Tensor,
    graph::{Phase, Update},
    plan::{Capabilities, Plan, PlanOptions, draw::Family},
};
use pretty_assertions::assert_eq;

/// A step of gradient descent by hand on a small perceptron: forward, backward, updates, and a view.
fn network() -> (Graph, Vec<Tensor>, Vec<Update>) {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [8, 4]).unwrap();
    let w = g.parameter("layer.weight", HostTensor::zeros(DType::F32, [4, 6])).unwrap();
    let b = g.parameter("layer.bias", HostTensor::zeros(DType::F32, [6])).unwrap();
    let h = x.matmul(&w).unwrap().add(&b).unwrap().tanh().unwrap();
    let loss = h.transpose(0, 1).unwrap().square().unwrap().mean(&[0, 1], false).unwrap();
    let d = loss.grad(&[&w, &b]).unwrap();
    let next = |p: &Tensor, d: &Tensor| p.sub(d.mul(0.1).unwrap()).unwrap();
    let update = g.assign(&w, &next(&w, &d[0])).unwrap().and(g.assign(&b, &next(&b, &d[1])).unwrap());
    (g, vec![loss], vec![update.unwrap()])
}

fn plan(capabilities: &Capabilities) -> (Plan, Graph, Vec<Tensor>, Vec<Update>) {
    let (g, outputs, updates) = network();
    let (o, u): (Vec<&Tensor>, Vec<&Update>) = (outputs.iter().collect(), updates.iter().collect());
    let plan = g.plan(&o, &u, &[].into(), capabilities, PlanOptions::default()).unwrap();
    (plan, g, outputs, updates)
}

#[test]
fn a_plan_as_text() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [8, 64]).unwrap();
    let b = g.parameter("b", HostTensor::zeros(DType::F32, [64])).unwrap();
    let y = x.add(&b).unwrap().relu().unwrap();
    let line = line!() - 1;
    let plan = g.plan(&[&y], &[], &[].into(), &Capabilities::portable(), PlanOptions::default()).unwrap();
    let file = file!();
    assert_eq!(
        plan.explain(),
        format!(
            "\
2 nodes -> 1 step -> 1 dispatch of 1 kernel
  moves       4.25 KiB at least, read and written by the steps
  computes    1.02 kFLOP
  live peak   2.00 KiB of values alive at once
  arena       2.00 KiB in 1, 1.00 times the live peak
  parameters  256 B in 1
  inputs      2.00 KiB in 1

  buffer      size  holds
  b0      2.00 KiB  input `x` f32[8, 64]
  b1         256 B  parameters, chunk 0: b
  b2      2.00 KiB  arena

  step  operation  phase    result         reads    writes    computes  variant
     0  add_relu   forward  f32[8, 64]  2.25 KiB  2.00 KiB  1.02 kFLOP  elementwise
      node 3: forward add f32[8, 64] at {file}:{line}
      node 4: forward relu f32[8, 64] at {file}:{line}
      (x f32[8, 64], b f32[8, 64]) -> b2 f32[8, 64]
      dispatch 0: add_relu on 2 x 1 x 1 groups, binds x 2.00 KiB, b 256 B -> b2 2.00 KiB
"
        )
    );
    assert_eq!(plan.to_string(), plan.explain());
}

#[test]
fn every_node_that_is_no_view_is_in_a_step_with_its_line_and_phase() {
    for capabilities in [Capabilities::portable(), Capabilities::cpu()] {
        let (plan, ..) = plan(&capabilities);
        let nodes: Vec<_> = plan.steps.iter().flat_map(|s| &s.nodes).collect();
        for op in ["matmul", "add", "tanh", "square", "mean", "sub"] {
            assert!(nodes.iter().any(|n| n.op == op), "`{op}` is in no step of\n{plan}");
        }
        assert!(nodes.iter().all(|n| n.site.file() == file!()), "{plan}");
        let mut seen: Vec<usize> = nodes.iter().map(|n| n.node).collect();
        let all = seen.len();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), all, "a node is in two steps:\n{plan}");
        let phases = plan.phases();
        assert!(phases.contains(&Phase::Forward) && phases.contains(&Phase::Backward), "{plan}");
        let forward = nodes.iter().filter(|n| ["tanh", "mean"].contains(&n.op.as_str()));
        assert!(forward.into_iter().all(|n| n.phase == Phase::Forward), "{plan}");
    }
}

#[test]
fn the_same_graph_looks_the_same_every_time() {
    let show = || {
        let (plan, g, outputs, updates) = plan(&Capabilities::portable());
        let graph = g.picture(&outputs.iter().collect::<Vec<_>>(), &updates.iter().collect::<Vec<_>>());
        let picture = plan.picture();
        [plan.explain(), plan.to_json(), picture.svg(), picture.dot(), graph.svg(), graph.dot()]
    };
    assert_eq!(show(), show());
}

#[test]
fn the_memory_curve_peaks_where_the_plan_says() {
    for capabilities in [Capabilities::portable(), Capabilities::cpu()] {
        let (plan, ..) = plan(&capabilities);
        let curve = plan.live_bytes();
        assert_eq!(curve.len(), plan.steps.len());
        let peak = curve.iter().copied().max().unwrap();
        assert!(peak > 0 && peak <= plan.live_peak.max(1), "{curve:?}, live peak {}", plan.live_peak);
    }
}

#[test]
fn json_holds_the_plan() {
    let (plan, ..) = plan(&Capabilities::portable());
    let value: serde_json::Value = serde_json::from_str(&plan.to_json()).unwrap();
    assert_eq!(value["totals"]["dispatches"], plan.dispatches.len());
    assert_eq!(value["totals"]["flops"], plan.cost().flops);
    assert_eq!(value["steps"].as_array().unwrap().len(), plan.steps.len());
    assert_eq!(value["live_bytes"].as_array().unwrap().len(), plan.steps.len());
    let sites = value["steps"].as_array().unwrap().iter().flat_map(|s| s["nodes"].as_array().unwrap());
    assert!(sites.into_iter().all(|n| n["site"].as_str().unwrap().starts_with(file!())));
}

/// Elements closed in the order in which they were opened, attributes quoted, no stray `<` or `&`.
fn check_xml(text: &str) {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        check_characters(&rest[..at]);
        let end = at + rest[at..].find('>').expect("a tag that does not end");
        let tag = &rest[at + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name));
            continue;
        }
        assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
        tag.split('"').skip(1).step_by(2).for_each(check_characters);
        let name = tag.split([' ', '/']).next().unwrap();
        assert!(!name.is_empty() && name.chars().all(char::is_alphanumeric), "{tag}");
        if !tag.ends_with('/') {
            open.push(name);
        }
    }
    check_characters(rest);
    assert!(open.is_empty(), "{open:?} is not closed");
}

fn check_characters(text: &str) {
    assert!(!text.contains('<') && !text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
    for after in text.split('&').skip(1) {
        let entity = after.split(';').next().unwrap();
        assert!(["amp", "lt", "gt", "quot", "#39"].contains(&entity), "&{after}");
    }
}

#[test]
fn pictures_are_well_formed_and_show_every_step() {
    let (plan, g, outputs, updates) = plan(&Capabilities::portable());
    let picture = plan.picture();
    let svg = picture.svg();
    check_xml(&svg);
    assert_eq!(picture.nodes.len(), plan.feeds.len() + plan.steps.len());
    for node in &picture.nodes {
        assert!(svg.contains(&node.name), "{} is missing", node.name);
    }
    assert!(svg.contains(file!()), "tooltips name the user's line");
    assert!(picture.arrows.iter().all(|a| a.from < a.to && a.label.starts_with("f32[")));
    // The matmul is read by its activation's gradient or is fused with it: something forward feeds something backward.
    let crosses = |a: &&knotwork_core::plan::draw::Arrow| {
        picture.nodes[a.from].phase == Phase::Forward && picture.nodes[a.to].phase == Phase::Backward
    };
    assert!(picture.arrows.iter().find(crosses).is_some(), "{picture:#?}");
    let graph = g.picture(&outputs.iter().collect::<Vec<_>>(), &updates.iter().collect::<Vec<_>>());
    check_xml(&graph.svg());
    assert!(graph.nodes.iter().any(|n| n.name.ends_with("permute") && n.family == Family::Movement));
    assert!(graph.nodes.iter().any(|n| n.lines.iter().any(|l| l == "reads layer.weight")));
    let dot = picture.dot();
    assert_eq!(dot.matches(" -> ").count(), picture.arrows.len());
    assert_eq!(dot.lines().filter(|l| l.contains("fillcolor=")).count(), picture.nodes.len());
}

#[test]
fn names_that_are_markup_stay_names() {
    let g = Graph::new();
    let x = g.input("<x> & \"y\"\n\u{1}", DType::F32, [4]).unwrap();
    let p = g.parameter("a<b>\\", HostTensor::zeros(DType::F32, [4])).unwrap();
    let y = x.mul(&p).unwrap();
    let plan = g.plan(&[&y], &[], &[].into(), &Capabilities::portable(), PlanOptions::default()).unwrap();
    check_xml(&plan.picture().svg());
    check_xml(&g.picture(&[&y], &[]).svg());
    assert!(plan.picture().svg().contains("&lt;x&gt; &amp; &quot;y&quot;"));
    serde_json::from_str::<serde_json::Value>(&plan.to_json()).unwrap();
}

#[test]
fn a_graph_of_nothing_has_a_picture() {
    let g = Graph::new();
    check_xml(&g.picture(&[], &[]).svg());
    let plan = g.plan(&[], &[], &[].into(), &Capabilities::portable(), PlanOptions::default()).unwrap();
    check_xml(&plan.picture().svg());
    assert!(plan.explain().starts_with("0 nodes -> 0 steps\n"), "{plan}");
    assert_eq!(plan.live_bytes(), [0; 0]);
}

#[test]
fn a_profile_on_the_cpu_adds_up_and_its_trace_parses() {
    let (_, g, outputs, updates) = plan(&Capabilities::cpu());
    let (o, u): (Vec<&Tensor>, Vec<&Update>) = (outputs.iter().collect(), updates.iter().collect());
    let mut program = Device::cpu().compile(&g, &o, &u).unwrap();
    let x = HostTensor::from_vec((0..32).map(|i| i as f32 / 32.0).collect(), [8, 4]).unwrap();
    let plan = program.plan(&[].into()).unwrap();
    let before = program.device().counters();
    let profile = program.profile([("x", &x)], 4).unwrap();
    assert_eq!(program.device().counters().submits - before.submits, 5, "one to warm up, four to measure");
    assert_eq!(
        (profile.entries.len(), profile.timeline.len(), profile.runs),
        (plan.steps.len(), plan.steps.len(), 4)
    );
    assert!(profile.entries.iter().any(|e| e.ns > 0.0));
    let cost = plan.cost();
    let sums = profile.entries.iter().fold((0.0, 0.0), |(f, b), e| (f + e.flops, b + e.bytes));
    assert_eq!(sums, (cost.flops, cost.bytes));
    let kernels: f64 = profile.kernels().iter().map(|k| k.ns).sum();
    assert!((kernels - profile.total_ns()).abs() < 1e-6 * kernels);

    let trace: serde_json::Value = serde_json::from_str(&profile.trace()).unwrap();
    let events = trace["traceEvents"].as_array().unwrap();
    let of = |ph: &str| events.iter().filter(|e| e["ph"] == ph).collect::<Vec<_>>();
    assert_eq!(of("X").len(), plan.steps.len());
    let mut end = 0.0;
    for e in of("X") {
        let (ts, dur) = (e["ts"].as_f64().unwrap(), e["dur"].as_f64().unwrap());
        assert!(ts >= end - 1e-6 && dur >= 0.0, "slices follow each other");
        end = ts + dur;
        assert!(e["args"]["site"].as_str().unwrap().starts_with(file!()));
    }
    let curve: Vec<usize> = of("C").iter().map(|e| e["args"]["bytes"].as_u64().unwrap() as usize).collect();
    assert_eq!(curve, [profile.live_bytes.clone(), vec![0]].concat());
    let json: serde_json::Value = serde_json::from_str(&profile.to_json()).unwrap();
    assert_eq!(json["entries"].as_array().unwrap().len(), plan.steps.len());
    assert_eq!(json["clock"], "steps");
}

#[test]
fn what_cannot_be_profiled_says_why() {
    let g = Graph::new();
    let y = g.input("x", DType::F32, [4]).unwrap().exp().unwrap();
    let mut program = Device::cpu().compile(&g, &[&y], &[]).unwrap();
    let x = HostTensor::zeros(DType::F32, [4]);
    let message = program.profile([("x", &x)], 0).unwrap_err().to_string();
    assert!(message.contains("at least one run"), "{message}");
    let message = program.profile([("z", &x)], 1).unwrap_err().to_string();
    assert!(message.contains('z'), "{message}");
    let message = program.profile([] as [(&str, &HostTensor); 0], 1).unwrap_err().to_string();
    assert!(message.contains('x'), "{message}");
}

/// The gradient of slices is written part by part into one value: its readers depend on every part.
#[test]
fn a_value_in_parts_comes_from_all_its_writers() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [4, 8]).unwrap();
    let h = x.exp().unwrap();
    let half = |from: usize| h.slice(1, from, from + 4).unwrap();
    let product = half(0).matmul(&half(4).transpose(0, 1).unwrap()).unwrap();
    let loss = product.sum(&[0, 1], false).unwrap();
    let dh = loss.grad(&[&h]).unwrap().remove(0);
    let w = g.parameter("w", HostTensor::zeros(DType::F32, [8, 8])).unwrap();
    let y = dh.matmul(&w).unwrap();
    let plan = g.plan(&[&y], &[], &[].into(), &Capabilities::portable(), PlanOptions::default()).unwrap();
    let last = plan.steps.len() - 1;
    let read = plan.steps[last].inputs[0].clone();
    let writers: Vec<usize> = (0..last)
        .filter(|&k| {
            let outputs = &plan.steps[k].outputs;
            outputs.iter().any(|o| {
                (o.buffer, o.offset, o.bytes) == (read.buffer, read.offset, read.bytes)
                    && o.layout.count() == 16
            })
        })
        .collect();
    assert_eq!(writers.len(), 2, "{plan}");
    let picture = plan.picture();
    for k in writers {
        let arrow = (plan.feeds.len() + k, plan.feeds.len() + last);
        assert!(picture.arrows.iter().any(|a| (a.from, a.to) == arrow), "{arrow:?} is not in {picture:#?}");
    }
}
