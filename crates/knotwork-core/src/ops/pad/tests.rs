use crate::{DType, Graph, ops::testing::*};

#[test]
fn zeros_stand_before_and_after_and_take_no_gradient() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [2, 2]).unwrap();
    let y = x.pad(1, 1, 2).unwrap();
    let weights: Vec<f64> = (1..=10).map(f64::from).collect();
    let loss = y.mul(g.tensor(host(&weights, &[2, 5])).unwrap()).unwrap().sum(&[0, 1], false).unwrap();
    let dx = loss.grad(&[&x]).unwrap().remove(0);
    let got = both(&g, &[&y, &dx], &[("x", host(&[1.0, 2.0, 3.0, 4.0], &[2, 2]))]);
    assert_eq!(got[0], [0.0, 1.0, 2.0, 0.0, 0.0, 0.0, 3.0, 4.0, 0.0, 0.0]);
    assert_eq!(got[1], [2.0, 3.0, 7.0, 8.0]);
}

#[test]
fn nothing_becomes_zeros() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [0, 2]).unwrap();
    let y = x.pad(0, 1, 1).unwrap();
    assert_eq!(both(&g, &[&y], &[("x", host(&[], &[0, 2]))])[0], [0.0; 4]);
}

#[test]
fn a_size_that_overflows_is_an_error() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [2]).unwrap();
    for (before, after) in [(usize::MAX, 1), (1, usize::MAX), (usize::MAX / 2, usize::MAX / 2)] {
        assert!(x.pad(0, before, after).unwrap_err().to_string().contains("more than memory can hold"));
    }
    assert!(x.pad(1, 0, 0).unwrap_err().to_string().contains("dimension 1 lies outside the rank, 1"));
}

#[test]
fn gradients_agree_with_central_differences() {
    let g = Graph::new();
    let x = g.input("x", DType::F64, [3, 2]).unwrap();
    let y = x.pad(0, 2, 1).unwrap().exp().unwrap().sum(&[0, 1], false).unwrap();
    check_gradients(&g, &y, &[(&x, "x")], &[("x", wave(&[3, 2], 0.3))]);
}
