use crate::{
    DType, Dim, Graph, HostTensor, Tensor,
    ops::testing::*,
    plan::{Capabilities, PlanOptions},
};

#[test]
fn parts_stand_one_behind_the_other_and_each_takes_its_slice_of_the_gradient() {
    let g = Graph::new();
    let a = g.input("a", DType::F32, [2, 2]).unwrap();
    let b = g.input("b", DType::F32, [2, 1]).unwrap();
    let y = Tensor::concat(&[&a, &b, &a], -1).unwrap();
    let weights: Vec<f64> = (1..=10).map(f64::from).collect();
    let loss = y.mul(g.tensor(host(&weights, &[2, 5])).unwrap()).unwrap().sum(&[0, 1], false).unwrap();
    let d = loss.grad(&[&a, &b]).unwrap();
    let feeds = [("a", host(&[1.0, 2.0, 3.0, 4.0], &[2, 2])), ("b", host(&[5.0, 6.0], &[2, 1]))];
    let got = both(&g, &[&y, &d[0], &d[1]], &feeds);
    assert_eq!(got[0], [1.0, 2.0, 5.0, 1.0, 2.0, 3.0, 4.0, 6.0, 3.0, 4.0]);
    assert_eq!(got[1], [1.0 + 4.0, 2.0 + 5.0, 6.0 + 9.0, 7.0 + 10.0]);
    assert_eq!(got[2], [3.0, 8.0]);
}

#[test]
fn elements_stay_as_they_are() {
    let g = Graph::new();
    let (a, b) = (g.input("a", DType::F32, [2]).unwrap(), g.input("b", DType::F32, [3]).unwrap());
    let y = Tensor::concat(&[&a, &b], 0).unwrap();
    let mut program = crate::Device::cpu().compile(&g, &[&y], &[]).unwrap();
    let odd = f32::from_bits(0x7fc1_2345);
    let feeds = [
        ("a", HostTensor::new(&[-0.0f32, odd], [2]).unwrap()),
        ("b", HostTensor::new(&[f32::INFINITY, 1e-45, -0.0], [3]).unwrap()),
    ];
    let out = program.run(feeds).unwrap().wait().unwrap();
    let bits: Vec<u32> = out[0].as_slice::<f32>().unwrap().iter().map(|v| v.to_bits()).collect();
    assert_eq!(bits, [0x8000_0000, 0x7fc1_2345, 0x7f80_0000, 1, 0x8000_0000]);
}

#[test]
fn every_type_is_joined() {
    for dtype in DType::ALL {
        let g = Graph::new();
        let (a, b) = (g.input("a", dtype, [1, 2]).unwrap(), g.input("b", dtype, [2, 2]).unwrap());
        let y = Tensor::concat(&[&a, &b, &b], 0).unwrap();
        let of = |v: &[f64], rows: usize| HostTensor::from_f64(dtype, v, &[rows, 2]);
        let feeds = [("a", of(&[1.0, 0.0], 1)), ("b", of(&[0.0, 1.0, 1.0, 1.0], 2))];
        let got = both(&g, &[&y], &feeds);
        assert_eq!(got[0], [1.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0, 1.0, 1.0, 1.0], "{dtype}");
    }
}

#[test]
fn no_device_has_too_few_bindings() {
    let g = Graph::new();
    let parts: Vec<Tensor> =
        (0..20).map(|i| g.input(&format!("x{i}"), DType::F32, [3, 1 + i % 3]).unwrap()).collect();
    let y = Tensor::concat(&parts.iter().collect::<Vec<_>>(), 1).unwrap();
    for (buffers, dispatches) in [(2, 20), (4, 7), (8, 3), (100, 3)] {
        let on = Capabilities { max_storage_buffers: buffers, ..Capabilities::portable() };
        let plan = g.plan(&[&y], &[], &[].into(), &on, PlanOptions::default()).unwrap();
        let [step] = &plan.steps[..] else { panic!("{plan}") };
        assert_eq!(step.op.name(), "concat");
        let made = &plan.dispatches;
        assert_eq!(made.len(), dispatches);
        assert!(made.iter().all(|d| d.bindings.len() <= buffers as usize));
    }
    let feeds: Vec<(String, HostTensor)> = (0..20)
        .map(|i| {
            (
                format!("x{i}"),
                HostTensor::from_f64(DType::F32, &vec![i as f64; 3 * (1 + i % 3)], &[3, 1 + i % 3]),
            )
        })
        .collect();
    let feeds: Vec<(&str, HostTensor)> = feeds.iter().map(|(n, t)| (&n[..], t.clone())).collect();
    let row: Vec<f64> = (0..20).flat_map(|i| vec![i as f64; 1 + i % 3]).collect();
    assert_eq!(both(&g, &[&y], &feeds)[0], [&row[..], &row[..], &row[..]].concat());
}

#[test]
fn what_does_not_fit_is_refused_by_name() {
    let g = Graph::new();
    let x = |name: &str, dtype, shape: &[usize]| g.input(name, dtype, shape).unwrap();
    let a = x("a", DType::F32, &[2, 3]);
    let text = |parts: &[&Tensor], dim| Tensor::concat(parts, dim).unwrap_err().to_string();
    assert!(text(&[], 0).contains("concat of no parts; there must be at least one"));
    assert!(text(&[&a], 2).contains("dimension 2 lies outside the rank, 2"));
    assert!(
        text(&[&a, &x("b", DType::F32, &[2, 4])], 0)
            .contains("part 1 is f32[2, 4], part 0 is f32[2, 3]; they may differ in dimension 0 only")
    );
    assert!(text(&[&a, &x("c", DType::I32, &[2, 3])], 0).contains("part 1 is i32[2, 3]"));
    assert!(text(&[&a, &x("d", DType::F32, &[2])], 0).contains("part 1 is f32[2]"));
    let named = g.input("e", DType::F32, [Dim::named("batch"), 3.into()]).unwrap();
    assert!(text(&[&named, &named], 0).contains("dimension 0 of part 0 is named `batch`"));
    assert_eq!(Tensor::concat(&[&named, &named], 1).unwrap().shape().to_string(), "[batch, 6]");
    let huge = x("h", DType::F32, &[usize::MAX / 3, 0]);
    assert!(text(&[&huge, &huge], 0).contains("more than memory can hold"));
    let other = Graph::new().input("a", DType::F32, [2, 3]).unwrap();
    assert!(Tensor::concat(&[&a, &other], 0).is_err());
}

#[test]
fn gradients_agree_with_central_differences() {
    let g = Graph::new();
    let a = g.input("a", DType::F64, [3, 2]).unwrap();
    let b = g.input("b", DType::F64, [3, 1]).unwrap();
    let y = Tensor::concat(&[&a, &b, &a], 1).unwrap();
    let y = y.exp().unwrap().cumsum(1).unwrap().square().unwrap().sum(&[0, 1], false).unwrap();
    check_gradients(&g, &y, &[(&a, "a"), (&b, "b")], &[("a", wave(&[3, 2], 0.3)), ("b", wave(&[3, 1], 0.7))]);
}
