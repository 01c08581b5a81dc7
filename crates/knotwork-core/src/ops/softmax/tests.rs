use crate::{DType, Graph, ops::testing::*};

fn near(got: &[f64], want: &[f64]) {
    assert_eq!(got.len(), want.len());
    got.iter().zip(want).for_each(|(a, b)| assert!(a == b || (a - b).abs() < 1e-6, "{got:?}, not {want:?}"));
}

fn logs(exponentials: &[f64]) -> Vec<f64> {
    exponentials.iter().map(|e| e.ln()).collect()
}

#[test]
fn shares_their_logarithms_and_their_gradients() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [2, 3]).unwrap();
    let weights = g.tensor(host(&[1.0, 0.0, 0.0, 0.0, 2.0, 0.0], &[2, 3])).unwrap();
    let (y, l) = (x.softmax(-1).unwrap(), x.log_softmax(1).unwrap());
    let toward = |t: &crate::Tensor| {
        t.mul(&weights).unwrap().sum(&[0, 1], false).unwrap().grad(&[&x]).unwrap().remove(0)
    };
    let (dy, dl) = (toward(&y), toward(&l));
    let got = both(&g, &[&y, &l, &dy, &dl], &[("x", host(&logs(&[1.0, 3.0, 4.0, 5.0, 4.0, 1.0]), &[2, 3]))]);
    let shares = [0.125, 0.375, 0.5, 0.5, 0.4, 0.1];
    near(&got[0], &shares);
    near(&got[1], &logs(&shares));
    // y_i (g_i − Σ g y), and g_i − y_i Σ g
    near(&got[2], &[0.109_375, -0.046_875, -0.0625, -0.4, 0.48, -0.08]);
    near(&got[3], &[0.875, -0.375, -0.5, -1.0, 1.2, -0.2]);
}

#[test]
fn any_dimension_can_be_the_one() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [2, 2, 1]).unwrap();
    let y = x.softmax(0).unwrap();
    assert_eq!(y.shape(), x.shape());
    let got =
        both(&g, &[&y, &x.softmax(2).unwrap()], &[("x", host(&logs(&[1.0, 2.0, 3.0, 8.0]), &[2, 2, 1]))]);
    near(&got[0], &[0.25, 0.2, 0.75, 0.8]);
    near(&got[1], &[1.0; 4]);
}

#[test]
fn large_numbers_and_infinities() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [4, 2]).unwrap();
    let inf = f64::INFINITY;
    let values = [1e4, 1e4, -inf, 3.0, -inf, -inf, f64::NAN, 0.0];
    let got =
        both(&g, &[&x.softmax(1).unwrap(), &x.log_softmax(1).unwrap()], &[("x", host(&values, &[4, 2]))]);
    near(&got[0][..4], &[0.5, 0.5, 0.0, 1.0]);
    near(&got[1][..4], &[-(2f64.ln()), -(2f64.ln()), -inf, 0.0]);
    assert!(got.iter().all(|y| y[4..].iter().all(|v| v.is_nan())));
}

#[test]
fn long_rows_sum_to_one() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [3, 40_001]).unwrap();
    let y = x.softmax(1).unwrap();
    let got = both(&g, &[&y], &[("x", wave(&[3, 40_001], 0.0).cast(DType::F32))]).remove(0);
    got.chunks(40_001).for_each(|row| assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-6));
}

#[test]
fn errors_name_the_operation() {
    let g = Graph::new();
    let (x, n) = (g.input("x", DType::F32, [2]).unwrap(), g.input("n", DType::I32, [2]).unwrap());
    assert!(
        x.softmax(1)
            .unwrap_err()
            .to_string()
            .contains("`softmax` of (f32[2]): dimension 1 lies outside the rank, 1")
    );
    assert!(
        n.log_softmax(0).unwrap_err().to_string().contains("`log_softmax` of (i32[2]): it takes f32 or f64")
    );
}

#[test]
fn gradients_of_both_orders_agree_with_central_differences() {
    for log in [false, true] {
        let g = Graph::new();
        let x = g.input("x", DType::F64, [2, 3]).unwrap();
        let y = if log { x.log_softmax(0) } else { x.softmax(0) }.unwrap();
        let y = y.mul(g.tensor(wave(&[2, 3], 5.0)).unwrap()).unwrap().sum(&[0, 1], false).unwrap();
        let feeds = [("x", wave(&[2, 3], 0.7))];
        check_gradients(&g, &y, &[(&x, "x")], &feeds);
        let slope = y.grad(&[&x]).unwrap()[0].square().unwrap().sum(&[0, 1], false).unwrap();
        check_gradients(&g, &slope, &[(&x, "x")], &feeds);
    }
}
