use knotwork_core::{DType, Device, Graph, HostTensor, Tensor, ops::RationalForm};

use super::*;
use crate::Generator;

fn run(g: &Graph, outputs: &[&Tensor], x: HostTensor) -> Vec<HostTensor> {
    Device::cpu().compile(g, outputs, &[]).unwrap().run([("x", x)]).unwrap().wait().unwrap()
}

#[test]
fn channels_take_the_functions_of_their_groups() {
    for (form, shared) in [(RationalForm::A, true), (RationalForm::B, false)] {
        let g = Graph::new();
        let x = g.input("x", DType::F64, [5, 6]).unwrap();
        let layer =
            GroupRational::new(&g, "r", 6).groups(3).degrees(3, 2).form(form).shared_numerator(shared);
        let layer = layer.dtype(DType::F64).build().unwrap();
        let y = layer.forward(&x).unwrap();
        let mut program = Device::cpu().compile(&g, &[&y], &[]).unwrap();
        let rows = if shared { 1 } else { 3 };
        let p = Generator::new(1).uniform(&[rows, 4], -1.0, 1.0).unwrap();
        let q = Generator::new(2).uniform(&[3, 2], -1.0, 1.0).unwrap();
        program.params().set("r.numerator", &p.cast(DType::F64)).unwrap();
        program.params().set("r.denominator", &q.cast(DType::F64)).unwrap();
        let xs = Generator::new(3).uniform(&[5, 6], -2.0, 2.0).unwrap();
        let out = program.run([("x", xs.cast(DType::F64))]).unwrap().wait().unwrap();
        let (p, q) = (p.to_f64(), q.to_f64());
        for (k, (y, x)) in out[0].to_f64().iter().zip(xs.to_f64()).enumerate() {
            let group = k % 6 / 2;
            let p = &p[if shared { 0 } else { 4 * group }..][..4];
            let q = &q[2 * group..][..2];
            let top: f64 = p.iter().enumerate().map(|(i, p)| p * x.powi(i as i32)).sum();
            let bottom = match form {
                RationalForm::A => 1.0 + (q[0] * x).abs() + (q[1] * x * x).abs(),
                RationalForm::B => 1.0 + (q[0] * x + q[1] * x * x).abs(),
            };
            assert!((y - top / bottom).abs() < 1e-12, "{y}, not {}", top / bottom);
        }
    }
}

#[test]
fn a_shared_numerator_takes_the_gradients_of_all_groups() {
    let g = Graph::new();
    let x = g.input("x", DType::F64, [4, 6]).unwrap();
    let layer = GroupRational::new(&g, "r", 6).groups(3).like("gelu").dtype(DType::F64).build().unwrap();
    let loss = layer.forward(&x).unwrap().square().unwrap().sum(&[0, 1], false).unwrap();
    let d = loss.grad(&layer.parameters()).unwrap();
    let mut program = Device::cpu().compile(&g, &[&loss, &d[0], &d[1]], &[]).unwrap();
    let xs = Generator::new(3).uniform(&[4, 6], -2.0, 2.0).unwrap().cast(DType::F64);
    let first = program.run([("x", &xs)]).unwrap().wait().unwrap();
    for (k, name) in ["r.numerator", "r.denominator"].into_iter().enumerate() {
        let at = program.params().get(name).unwrap();
        for i in 0..at.to_f64().len() {
            let mut moved = |h: f64| {
                let mut to = at.to_f64();
                to[i] += h;
                program.params().set(name, &HostTensor::new(&to, at.shape()).unwrap()).unwrap();
                program.run([("x", &xs)]).unwrap().wait().unwrap()[0].item::<f64>().unwrap()
            };
            let difference = (moved(1e-6) - moved(-1e-6)) / 2e-6;
            moved(0.0);
            let slope = first[1 + k].to_f64()[i];
            assert!(
                (slope - difference).abs() < 1e-6 * slope.abs().max(10.0),
                "{name}[{i}]: {slope} {difference}"
            );
        }
    }
}

#[test]
fn the_variance_passes_through() {
    for like in ["identity", "gelu", "relu"] {
        let g = Graph::new();
        let x = g.input("x", DType::F32, [400, 64]).unwrap();
        let y = GrKan::new(&g, "k", 64, 96).rational(|r| r.like(like)).build().unwrap().forward(&x).unwrap();
        let out = run(&g, &[&y], Generator::new(5).normal(&[400, 64], 0.0, 1.0).unwrap())[0].to_f64();
        let variance = out.iter().map(|y| y * y).sum::<f64>() / out.len() as f64;
        assert!((variance - 1.0).abs() < 0.15, "{like}: {variance}");
    }
}

#[test]
fn what_cannot_be_built_is_refused() {
    let g = Graph::new();
    let text = |b: GroupRationalBuilder| b.build().unwrap_err().to_string();
    let of = |channels| GroupRational::new(&g, "r", channels);
    assert!(text(of(12)).starts_with(
        "GroupRational `r`: 8 groups of 12 channels; both must be at least 1, and groups divide"
    ));
    assert!(text(of(0)).contains("8 groups of 0 channels"));
    assert!(text(of(8).groups(0)).contains("0 groups"));
    assert!(text(of(8).degrees(0, 4)).contains("the degrees are (0, 4); both must be from 1 to 16"));
    assert!(text(of(8).degrees(5, 17)).contains("(5, 17)"));
    assert!(text(of(8).like("gelly")).contains("`gelly` is neither identity nor the name of an activation"));
    assert!(text(of(8).dtype(DType::F16)).contains("the type is f16"));
    let text = |b: GrKanBuilder| b.build().unwrap_err().to_string();
    assert!(text(GrKan::new(&g, "k", 8, 0)).starts_with("GrKan `k`: 0 outputs, f32"));
    assert!(text(GrKan::new(&g, "k", 8, 2).rational(|r| r.dtype(DType::F64))).contains("2 outputs, f64"));
    assert!(g.is_empty(), "nothing was added to the graph");
    let layer = of(8).build().unwrap();
    let x = g.input("x", DType::F32, [2, 9]).unwrap();
    assert!(layer.forward(&x).unwrap_err().to_string().contains("its last dimension must be the 8 channels"));
}
