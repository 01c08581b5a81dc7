use crate::{DType, Graph, ops::testing::*};

fn near(got: &[f64], want: &[f64]) {
    assert_eq!(got.len(), want.len());
    got.iter().zip(want).for_each(|(a, b)| assert!(a == b || (a - b).abs() < 1e-6, "{got:?}, not {want:?}"));
}

#[test]
fn published_values() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [2, 4]).unwrap();
    let (s, e) = (x.sparsemax(-1).unwrap(), x.entmax15(1).unwrap());
    let feeds = [("x", host(&[1.0, 2.0, 3.0, 2.5, 0.1, 1.1, 0.2, 0.3], &[2, 4]))];
    let got = both(&g, &[&s, &e], &feeds);
    near(&got[0], &[0.0, 0.0, 0.75, 0.25, 0.0, 0.9, 0.0, 0.1]);
    near(
        &got[1],
        &[
            0.0,
            0.084_135_8,
            0.624_197_53,
            0.291_666_67,
            0.087_977_01,
            0.634_586_2,
            0.120_137_93,
            0.157_298_85,
        ],
    );
}

#[test]
fn ties_single_elements_infinities_and_nan() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [5, 2]).unwrap();
    let inf = f64::INFINITY;
    let values = [1e4, 1e4, -inf, 3.0, -inf, -inf, f64::NAN, 0.0, inf, 0.0];
    let outputs = [x.sparsemax(1).unwrap(), x.entmax15(1).unwrap()];
    for y in both(&g, &[&outputs[0], &outputs[1]], &[("x", host(&values, &[5, 2]))]) {
        near(&y[..4], &[0.5, 0.5, 0.0, 1.0]);
        assert!(y[4..].iter().all(|v| v.is_nan()));
    }
    let one = x.unsqueeze(2).unwrap().sparsemax(2).unwrap();
    near(&both(&g, &[&one], &[("x", host(&[7.0; 10], &[5, 2]))])[0], &[1.0; 10]);
}

#[test]
fn long_rows_sum_to_one() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [2, 40_001]).unwrap();
    let feeds = [("x", wave(&[2, 40_001], 0.0).cast(DType::F32))];
    for y in [x.sparsemax(1).unwrap(), x.entmax15(1).unwrap()] {
        let got = both(&g, &[&y], &feeds).remove(0);
        got.chunks(40_001).for_each(|row| assert!((row.iter().sum::<f64>() - 1.0).abs() < 2e-6));
    }
}

#[test]
fn errors_name_the_operation() {
    let g = Graph::new();
    let (x, n) = (g.input("x", DType::F32, [2]).unwrap(), g.input("n", DType::I32, [2]).unwrap());
    let text = x.sparsemax(1).unwrap_err().to_string();
    assert!(text.contains("`sparsemax` of (f32[2]): dimension 1 lies outside the rank, 1"), "{text}");
    let text = n.entmax15(0).unwrap_err().to_string();
    assert!(text.contains("`entmax15` of (i32[2]): it takes f32 or f64"), "{text}");
}

#[test]
fn gradients_of_both_orders_agree_with_central_differences() {
    for square in [false, true] {
        let g = Graph::new();
        let x = g.input("x", DType::F64, [2, 4]).unwrap();
        let y = if square { x.entmax15(1) } else { x.sparsemax(1) }.unwrap();
        let y = y.square().unwrap().mul(g.tensor(wave(&[2, 4], 5.0)).unwrap()).unwrap();
        let y = y.sum(&[0, 1], false).unwrap();
        let feeds = [("x", wave(&[2, 4], 0.7))];
        check_gradients(&g, &y, &[(&x, "x")], &feeds);
        let slope = y.grad(&[&x]).unwrap()[0].square().unwrap().sum(&[0, 1], false).unwrap();
        check_gradients(&g, &slope, &[(&x, "x")], &feeds);
    }
}
