use crate::{DType, Graph, ops::testing::*};

#[test]
fn sums_of_exponentials_and_their_gradient() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [2, 2]).unwrap();
    let (rows, all) = (x.logsumexp(&[-1], true).unwrap(), x.logsumexp(&[0, 1], false).unwrap());
    assert_eq!((rows.shape().to_string(), all.shape().to_string()), ("[2, 1]".into(), "[]".into()));
    let d = all.grad(&[&x]).unwrap().remove(0);
    let ln = |v: &[f64]| v.iter().map(|e| e.ln()).collect::<Vec<_>>();
    let got = both(&g, &[&rows, &all, &d], &[("x", host(&ln(&[1.0, 3.0, 2.0, 4.0]), &[2, 2]))]);
    for (got, want) in got.concat().iter().zip([ln(&[4.0, 6.0, 10.0]), vec![0.1, 0.3, 0.2, 0.4]].concat()) {
        assert!((got - want).abs() < 1e-6, "{got}, not {want}");
    }
}

#[test]
fn infinities_are_the_limits() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [5, 2]).unwrap();
    let inf = f64::INFINITY;
    let values = [-inf, -inf, -inf, 2.0, inf, 0.0, f64::NAN, 0.0, -1000.0, -1000.0];
    let got = both(&g, &[&x.logsumexp(&[1], false).unwrap()], &[("x", host(&values, &[5, 2]))]).remove(0);
    assert_eq!(got[..3], [-inf, 2.0, inf]);
    assert!(got[3].is_nan());
    assert!((got[4] - (2f64.ln() - 1000.0)).abs() < 1e-4);
}

#[test]
fn errors_name_the_operation() {
    let g = Graph::new();
    let (x, n) = (g.input("x", DType::F32, [2, 0]).unwrap(), g.input("n", DType::I32, [2]).unwrap());
    assert!(
        x.logsumexp(&[1], false)
            .unwrap_err()
            .to_string()
            .contains("`logsumexp` of (f32[2, 0]): dimension 1 has size 0")
    );
    assert!(x.logsumexp(&[2], false).unwrap_err().to_string().contains("`logsumexp`"));
    assert!(n.logsumexp(&[0], false).unwrap_err().to_string().contains("it takes floats, got i32"));
}

#[test]
fn gradients_of_both_orders_agree_with_central_differences() {
    let g = Graph::new();
    let x = g.input("x", DType::F64, [2, 3]).unwrap();
    let y = x.logsumexp(&[1], false).unwrap().square().unwrap().sum(&[0], false).unwrap();
    let feeds = [("x", wave(&[2, 3], 0.2))];
    check_gradients(&g, &y, &[(&x, "x")], &feeds);
    let slope = y.grad(&[&x]).unwrap()[0].square().unwrap().sum(&[0, 1], false).unwrap();
    check_gradients(&g, &slope, &[(&x, "x")], &feeds);
}
