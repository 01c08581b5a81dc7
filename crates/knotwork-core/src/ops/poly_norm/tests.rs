use crate::{DType, Graph, Tensor, ops::testing::*};

#[test]
fn golden_values_also_of_large_rows() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [2, 3]).unwrap();
    let weight = g.tensor(host(&[1.0, -0.5, 2.0], &[3])).unwrap();
    let bias = g.tensor(host(&[0.25], &[1])).unwrap();
    let y = x.poly_norm(&weight, &bias, 1e-6).unwrap();
    let dx = y.square().unwrap().sum(&[0, 1], false).unwrap().grad(&[&x]).unwrap().remove(0);
    let row = [1.0, -2.0, 0.5];
    // The second row's sixth powers are far beyond f32.
    let feeds: Vec<f64> = row.into_iter().chain(row.map(|v| v * f64::from(2f32.powi(60)))).collect();
    let got = both(&g, &[&y, &dx], &[("x", host(&feeds, &[2, 3]))]);
    let root = |i: i32| (row.iter().map(|v: &f64| v.powi(2 * i)).sum::<f64>() / 3.0).sqrt();
    for (k, v) in row.iter().enumerate() {
        let want = v / root(1) - 0.5 * v.powi(2) / root(2) + 2.0 * v.powi(3) / root(3) + 0.25;
        assert!(
            (got[0][k] - want).abs() < 1e-5 && (got[0][3 + k] - want).abs() < 1e-5,
            "{got:?}, not {want}"
        );
        assert!(got[1].iter().all(|v| v.is_finite()));
    }
}

#[test]
fn gradients_of_both_orders_agree_with_central_differences() {
    let g = Graph::new();
    let x = g.input("x", DType::F64, [2, 4]).unwrap();
    let w = g.input("w", DType::F64, [3]).unwrap();
    let b = g.input("b", DType::F64, [1]).unwrap();
    let y = x.poly_norm(&w, &b, 0.1).unwrap().square().unwrap().sum(&[0, 1], false).unwrap();
    let feeds = [("x", wave(&[2, 4], 0.7)), ("w", wave(&[3], 0.2)), ("b", wave(&[1], 1.2))];
    let inputs = [(&x, "x"), (&w, "w"), (&b, "b")];
    check_gradients(&g, &y, &inputs, &feeds);
    let sum = |t: &Tensor| {
        let dims: Vec<isize> = (0..t.rank() as isize).collect();
        t.square().unwrap().sum(&dims, false).unwrap()
    };
    let d = y.grad(&[&x, &w, &b]).unwrap();
    let slopes = sum(&d[0]).add(sum(&d[1])).unwrap().add(sum(&d[2])).unwrap();
    check_gradients(&g, &slopes, &inputs, &feeds);
}

#[test]
fn errors_name_the_input_and_the_limit() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [2, 3]).unwrap();
    let [w, none, many, b] = [("w", 3), ("none", 0), ("many", 17), ("b", 1)]
        .map(|(name, n)| g.input(name, DType::F32, [n]).unwrap());
    let says = |result: crate::Result<Tensor>, want: &str| {
        let text = result.unwrap_err().to_string();
        assert!(text.contains(want), "{text}");
    };
    says(
        x.poly_norm(&none, &b, 1e-6),
        "weight is f32[0]; it takes f32[r], one number for each of 1 to 16 powers",
    );
    says(x.poly_norm(&many, &b, 1e-6), "weight is f32[17]");
    says(x.poly_norm(&w, &w, 1e-6), "bias is f32[3]; it takes f32[1]");
    says(x.poly_norm(&w, &b, f64::INFINITY), "eps is inf; it must be finite and not negative");
    says(g.constant(DType::F32, 1.0).unwrap().poly_norm(&w, &b, 1e-6), "x is []; it takes […, C]");
}
