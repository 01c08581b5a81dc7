use crate::{DType, Graph, ops::testing::*};

#[test]
fn forwards_backwards_and_their_gradients() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [2, 3]).unwrap();
    let (rows, columns) = (x.cumsum(-1).unwrap(), x.cumsum_reverse(0).unwrap());
    let weights = g.tensor(host(&[1.0, 10.0, 100.0, 2.0, 20.0, 200.0], &[2, 3])).unwrap();
    let dx = rows.mul(&weights).unwrap().sum(&[0, 1], false).unwrap().grad(&[&x]).unwrap().remove(0);
    let got = both(&g, &[&rows, &columns, &dx], &[("x", host(&[1.0, 2.0, 3.0, 4.0, 5.0, -6.0], &[2, 3]))]);
    assert_eq!(got[0], [1.0, 3.0, 6.0, 4.0, 9.0, 3.0]);
    assert_eq!(got[1], [5.0, 7.0, -3.0, 4.0, 5.0, -6.0]);
    assert_eq!(got[2], [111.0, 110.0, 100.0, 222.0, 220.0, 200.0]);
}

#[test]
fn long_rows_stay_exact() {
    let g = Graph::new();
    let n = 100_000;
    let x = g.input("x", DType::F32, [n]).unwrap();
    let got = both(&g, &[&x.cumsum(0).unwrap()], &[("x", host(&vec![f64::from(0.1f32); n], &[n]))]);
    assert!((got[0][n - 1] / (n as f64 * f64::from(0.1f32)) - 1.0).abs() < 1e-6);
}

#[test]
fn errors_name_the_operation() {
    let g = Graph::new();
    let n = g.input("n", DType::I32, [2]).unwrap();
    let text = n.cumsum(0).unwrap_err().to_string();
    assert!(text.contains("`cumsum` of (i32[2]): it takes f32 or f64, got i32"), "{text}");
    let text = n.cumsum(1).unwrap_err().to_string();
    assert!(text.contains("dimension 1 lies outside the rank, 1"), "{text}");
}
