use crate::{
    DType, Graph,
    ops::testing::*,
    plan::{Capabilities, PlanOptions},
};

#[test]
fn values_and_gradients() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [2, 3]).unwrap();
    let w = g.input("w", DType::F32, [3]).unwrap();
    let y = x.prelu(&w, 1).unwrap();
    let weights = g.tensor(host(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[2, 3])).unwrap();
    let d = y.mul(&weights).unwrap().sum(&[0, 1], false).unwrap().grad(&[&x, &w]).unwrap();
    let feeds =
        [("x", host(&[-1.0, 0.0, 2.0, -3.0, -0.5, -2.0], &[2, 3])), ("w", host(&[0.25, 0.5, -1.0], &[3]))];
    let got = both(&g, &[&y, &d[0], &d[1]], &feeds);
    assert_eq!(got[0], [-0.25, 0.0, 2.0, -0.75, -0.25, 2.0]);
    // At 0 the gradient is 0.
    assert_eq!(got[1], [0.25, 0.0, 3.0, 1.0, 2.5, -6.0]);
    assert_eq!(got[2], [-13.0, -2.5, -12.0]);
}

#[test]
fn special_values_pass_and_one_slope_serves_all() {
    let g = Graph::new();
    let (x, w) = (g.input("x", DType::F32, [4]).unwrap(), g.input("w", DType::F32, [1]).unwrap());
    let inf = f64::INFINITY;
    let feeds = [("x", host(&[f64::NAN, inf, -inf, -4.0], &[4])), ("w", host(&[0.5], &[1]))];
    let got = both(&g, &[&x.prelu(&w, -1).unwrap()], &feeds).remove(0);
    assert!(got[0].is_nan());
    assert_eq!(got[1..], [inf, -inf, -2.0]);
    let scalar = x.sum(&[0], false).unwrap().prelu(&w, -1).unwrap();
    assert_eq!(scalar.rank(), 0);
}

#[test]
fn it_is_one_dispatch() {
    let g = Graph::new();
    let (x, w) = (g.input("x", DType::F32, [4, 3, 2]).unwrap(), g.input("w", DType::F32, [3]).unwrap());
    let y = x.prelu(&w, 1).unwrap();
    let plan = g.plan(&[&y], &[], &[].into(), &Capabilities::portable(), PlanOptions::default()).unwrap();
    assert_eq!(plan.dispatches.len(), 1);
}

#[test]
fn what_does_not_fit_is_said() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [2, 3]).unwrap();
    let say = |shape: &[usize], dtype, axis| {
        let name = format!("w{}", g.len());
        x.prelu(&g.input(&name, dtype, shape).unwrap(), axis).unwrap_err().to_string()
    };
    let text = say(&[2], DType::F32, -1);
    assert!(
        text.contains("`prelu` of (f32[2, 3], f32[2]): the weight has 2 slopes; dimension 1 of x is 3, so it must be [3] or [1]"),
        "{text}"
    );
    assert!(say(&[3], DType::F32, 2).contains("dimension 2 lies outside the rank, 2"));
    assert!(say(&[1, 3], DType::F32, 1).contains("the weight is [1, 3]; it must be [C] or [1]"));
    assert!(say(&[3], DType::I32, 1).contains("floats of one type"));
}

#[test]
fn gradients_agree_with_central_differences() {
    let g = Graph::new();
    let (x, w) = (g.input("x", DType::F64, [3, 2]).unwrap(), g.input("w", DType::F64, [3]).unwrap());
    let y = x.prelu(&w, 0).unwrap().exp().unwrap().sum(&[0, 1], false).unwrap();
    check_gradients(&g, &y, &[(&x, "x"), (&w, "w")], &[("x", wave(&[3, 2], 0.3)), ("w", wave(&[3], 0.9))]);
}
