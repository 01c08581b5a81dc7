use crate::{
    DType, Graph,
    ops::testing::*,
    plan::{Capabilities, PlanOptions},
};

#[test]
fn values_and_gradients() {
    let g = Graph::new();
    let (x, w) = (g.input("x", DType::F32, [4]).unwrap(), g.input("w", DType::F32, [3]).unwrap());
    let y = x.poly_relu(&w).unwrap();
    let d = y.sum(&[0], false).unwrap().grad(&[&x, &w]).unwrap();
    let feeds = [("x", host(&[-1.0, 0.0, 2.0, 0.5], &[4])), ("w", host(&[1.0, -2.0, 0.5], &[3]))];
    let got = both(&g, &[&y, &d[0], &d[1]], &feeds);
    assert_eq!(got[0], [1.0, 1.0, -1.0, 0.125]);
    assert_eq!(got[1], [0.0, 0.0, 0.0, -1.5]);
    assert_eq!(got[2], [4.0, 2.5, 4.25]);
    let plan = g.plan(&[&y], &[], &[].into(), &Capabilities::portable(), PlanOptions::default()).unwrap();
    assert_eq!(plan.dispatches.len(), 1);
}

#[test]
fn what_does_not_fit_is_said() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [2, 3]).unwrap();
    let say = |shape: &[usize], dtype| {
        let name = format!("w{}", g.len());
        x.poly_relu(&g.input(&name, dtype, shape).unwrap()).unwrap_err().to_string()
    };
    let text = say(&[1, 3], DType::F32);
    assert!(
        text.contains("`poly_relu` of (f32[2, 3], f32[1, 3]): the weight is [1, 3]; it must be [r + 1] with 1 to 32 elements"),
        "{text}"
    );
    assert!(say(&[0], DType::F32).contains("with 1 to 32"));
    assert!(say(&[33], DType::F32).contains("with 1 to 32"));
    assert!(say(&[3], DType::F64).contains("floats of one type"));
    let half = g.input("h", DType::F16, [2]).unwrap();
    let w = g.input("v", DType::F16, [2]).unwrap();
    assert!(half.poly_relu(&w).unwrap_err().to_string().contains("both must be f32 or both f64"));
}

#[test]
fn gradients_of_three_orders_agree_with_central_differences() {
    let g = Graph::new();
    let (x, w) = (g.input("x", DType::F64, [5]).unwrap(), g.input("w", DType::F64, [4]).unwrap());
    let feeds = [("x", wave(&[5], 0.3)), ("w", wave(&[4], 0.9))];
    let mut y = x.poly_relu(&w).unwrap().sum(&[0], false).unwrap();
    for _ in 0..3 {
        check_gradients(&g, &y, &[(&x, "x"), (&w, "w")], &feeds);
        let d = y.grad(&[&x, &w]).unwrap();
        let square = |t: &crate::Tensor| t.square().unwrap().sum(&[0], false).unwrap();
        y = square(&d[0]).add(square(&d[1])).unwrap();
    }
}
