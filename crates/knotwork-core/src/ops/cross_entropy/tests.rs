use crate::{DType, Device, Dim, Graph, HostTensor, ops::testing::*};

fn near(got: &[f64], want: &[f64]) {
    assert_eq!(got.len(), want.len());
    got.iter().zip(want).for_each(|(a, b)| assert!((a - b).abs() < 1e-6, "{got:?}, not {want:?}"));
}

fn target(values: &[i32]) -> HostTensor {
    HostTensor::new(values, [values.len()]).unwrap()
}

#[test]
fn the_loss_and_its_gradient() {
    // Logits whose exponentials are 1, 2, 5 and 4, 4, 2.
    let logits: Vec<f64> = [1.0f64, 2.0, 5.0, 4.0, 4.0, 2.0].iter().map(|e| e.ln()).collect();
    let g = Graph::new();
    let x = g.input("x", DType::F32, [Dim::named("b"), 3.into()]).unwrap();
    let t = g.input("t", DType::I32, [Dim::named("b")]).unwrap();
    let feeds = [("x", host(&logits, &[2, 3])), ("t", target(&[2, 0]))];
    let plain = x.cross_entropy(&t).unwrap();
    let d = plain.grad(&[&x]).unwrap().remove(0);
    let smooth = x.cross_entropy_with(&t, 0.3).unwrap();
    let ds = smooth.grad(&[&x]).unwrap().remove(0);
    let got = both(&g, &[&plain, &d, &smooth, &ds], &feeds);
    let nll = ((8.0f64 / 5.0).ln() + (10.0f64 / 4.0).ln()) / 2.0;
    near(&got[0], &[nll]);
    // (softmax − one-hot) / 2
    near(&got[1], &[0.0625, 0.125, -0.1875, -0.3, 0.2, 0.1]);
    let all = (8.0f64.powi(3) / 10.0).ln() / 3.0;
    let all = f64::midpoint(all, (10.0f64.powi(3) / 32.0).ln() / 3.0);
    near(&got[2], &[0.7 * nll + 0.3 * all]);
    // (softmax − q) / 2 with q = 0.8 at the class and 0.1 elsewhere
    near(&got[3], &[0.0125, 0.075, -0.0875, -0.2, 0.15, 0.05]);
}

#[test]
fn large_logits_do_not_overflow_and_impossible_classes_cost_nothing() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [2, 2]).unwrap();
    let t = g.input("t", DType::U32, [2]).unwrap();
    let loss = x.cross_entropy(&t).unwrap();
    let inf = f64::INFINITY;
    let feeds =
        [("x", host(&[1000.0, 0.0, 3.0, -inf], &[2, 2])), ("t", HostTensor::new(&[1u32, 0], [2]).unwrap())];
    near(&both(&g, &[&loss], &feeds)[0], &[500.0]);
}

#[test]
fn an_empty_batch_gives_no_number() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [Dim::named("b"), 3.into()]).unwrap();
    let t = g.input("t", DType::I32, [Dim::named("b")]).unwrap();
    let loss = x.cross_entropy(&t).unwrap();
    assert!(both(&g, &[&loss], &[("x", host(&[], &[0, 3])), ("t", target(&[]))])[0][0].is_nan());
}

#[test]
fn an_index_outside_is_refused_before_the_run() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [2, 3]).unwrap();
    let t = g.input("t", DType::I32, [2]).unwrap();
    let mut program = Device::cpu().compile(&g, &[&x.cross_entropy(&t).unwrap()], &[]).unwrap();
    for (wrong, at) in [([0, 3], 1), ([-1, 0], 0)] {
        let feeds = [("x", host(&[0.0; 6], &[2, 3])), ("t", target(&wrong))];
        let text = program.run(feeds).unwrap_err().to_string();
        let want = format!("input `t` holds index {} at {at}, outside 0..3 of `cross_entropy`", wrong[at]);
        assert!(text.contains(&want), "{text}");
    }
}

#[test]
fn a_computed_index_outside_is_an_error_of_the_run() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [2, 3]).unwrap();
    let t = g.input("t", DType::F32, [2]).unwrap();
    let loss = x.cross_entropy(&t.cast(DType::I32).unwrap()).unwrap();
    let mut program = Device::cpu().compile(&g, &[&loss], &[]).unwrap();
    let feeds = [("x", host(&[0.0; 6], &[2, 3])), ("t", host(&[0.0, 9.0], &[2]))];
    let text = program.run(feeds).and_then(crate::Run::wait).unwrap_err().to_string();
    assert!(text.contains("target 9 at row 1 lies outside 0..3"), "{text}");
}

#[test]
fn shapes_types_and_smoothing_are_checked() {
    let g = Graph::new();
    let input = |name: &str, dtype, shape: &[usize]| g.input(name, dtype, shape).unwrap();
    let (x, t) = (input("x", DType::F32, &[4, 3]), input("t", DType::I32, &[4]));
    let text = |r: crate::Result<crate::Tensor>| r.unwrap_err().to_string();
    assert!(
        text(x.cross_entropy(&input("s", DType::I32, &[3])))
            .contains("must be [B, C] and [B], not [4, 3] and [3]")
    );
    assert!(text(x.cross_entropy(&input("f", DType::F32, &[4]))).contains("the target is f32"));
    assert!(text(input("n", DType::F32, &[4, 0]).cross_entropy(&t)).contains("there is no class to choose"));
    for wrong in [-0.1, 1.1, f64::NAN] {
        assert!(text(x.cross_entropy_with(&t, wrong)).contains("it must lie in 0..=1"));
    }
}

#[test]
fn gradients_of_both_orders_agree_with_central_differences() {
    let g = Graph::new();
    let x = g.input("x", DType::F64, [3, 4]).unwrap();
    let t = g.input("t", DType::I32, [3]).unwrap();
    let loss = x.cross_entropy_with(&t, 0.1).unwrap();
    let feeds = [("x", wave(&[3, 4], 0.5)), ("t", target(&[3, 0, 2]))];
    check_gradients(&g, &loss, &[(&x, "x")], &feeds);
    let slope = loss.grad(&[&x]).unwrap()[0].square().unwrap().sum(&[0, 1], false).unwrap();
    check_gradients(&g, &slope, &[(&x, "x")], &feeds);
}
