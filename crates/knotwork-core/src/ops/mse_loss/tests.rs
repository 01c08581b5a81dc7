use crate::{DType, Graph, ops::testing::*};

#[test]
fn the_loss_and_both_gradients() {
    let g = Graph::new();
    let (x, t) = (g.input("x", DType::F32, [2, 2]).unwrap(), g.input("t", DType::F32, [2, 2]).unwrap());
    let loss = x.mse_loss(&t).unwrap();
    let d = loss.grad(&[&x, &t]).unwrap();
    let feeds = [("x", host(&[1.0, 2.0, 3.0, 4.0], &[2, 2])), ("t", host(&[1.0, 0.0, 4.0, 8.0], &[2, 2]))];
    let got = both(&g, &[&loss, &d[0], &d[1]], &feeds);
    assert_eq!(got, [vec![5.25], vec![0.0, 1.0, -0.5, -2.0], vec![0.0, -1.0, 0.5, 2.0]]);
}

#[test]
fn over_nothing_it_is_not_a_number() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [0]).unwrap();
    assert!(both(&g, &[&x.mse_loss(&x).unwrap()], &[("x", host(&[], &[0]))])[0][0].is_nan());
}

#[test]
fn nothing_broadcasts_and_types_must_agree() {
    let g = Graph::new();
    let input = |name: &str, dtype, shape: &[usize]| g.input(name, dtype, shape).unwrap();
    let (x, row) = (input("x", DType::F32, &[2, 3]), input("row", DType::F32, &[3]));
    let (n, w) = (input("n", DType::I32, &[2, 3]), input("w", DType::F64, &[2, 3]));
    let text = |a: &crate::Tensor, b| a.mse_loss(b).unwrap_err().to_string();
    assert!(text(&x, &row).contains("`mse_loss` of (f32[2, 3], f32[3]): the shapes must be the same"));
    assert!(
        text(&x, &w).contains("`mse_loss` of (f32[2, 3], f64[2, 3]): the element types must be the same")
    );
    assert!(text(&n, &n).contains("`mse_loss` of (i32[2, 3], i32[2, 3]): it takes floats"));
}
