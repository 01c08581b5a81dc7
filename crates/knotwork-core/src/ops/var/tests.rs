use crate::{DType, Graph, HostTensor, ops::testing::*};

#[test]
fn corrections_and_dimensions() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [2, 3]).unwrap();
    let y = [
        x.var(&[1], 0.0, false),
        x.var(&[1], 1.0, true),
        x.var(&[0, 1], 2.0, false),
        x.var(&[0], 1.0, false),
    ]
    .map(Result::unwrap);
    assert_eq!(y[1].shape().to_string(), "[2, 1]");
    let got =
        both(&g, &y.iter().collect::<Vec<_>>(), &[("x", host(&[1.0, 2.0, 3.0, 4.0, 6.0, 8.0], &[2, 3]))]);
    assert!((got[0][0] - 2.0 / 3.0).abs() < 1e-7 && (got[0][1] - 8.0 / 3.0).abs() < 1e-6);
    assert_eq!(got[1], [1.0, 4.0]);
    assert_eq!(got[2], [8.5]);
    assert_eq!(got[3], [4.5, 8.0, 12.5]);
}

#[test]
fn a_large_mean_costs_no_digits() {
    let n = 5000;
    let values: Vec<f64> =
        (0..n).map(|i| f64::from((1e4 + 1.7 * (f64::from(i) * 1.3).sin()) as f32)).collect();
    let mean = values.iter().sum::<f64>() / f64::from(n);
    let want = values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / f64::from(n);
    let g = Graph::new();
    let x = g.input("x", DType::F32, [n as usize]).unwrap();
    let got = both(&g, &[&x.var(&[0], 0.0, false).unwrap()], &[("x", host(&values, &[n as usize]))]);
    assert!((got[0][0] - want).abs() < 1e-6 * want, "{}, not {want}", got[0][0]);
}

#[test]
fn too_few_elements_are_nan_or_infinite() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [2, 2]).unwrap();
    let y = x.var(&[1], 2.0, false).unwrap();
    let got = both(&g, &[&y], &[("x", host(&[1.0, 1.0, 1.0, 2.0], &[2, 2]))]);
    assert!(got[0][0].is_nan() && got[0][1] == f64::INFINITY);
    let none = g.input("none", DType::F32, [2, 0]).unwrap().var(&[1], 0.0, false).unwrap();
    let got = both(&g, &[&none], &[("none", HostTensor::zeros(DType::F32, [2, 0]))]);
    assert!(got[0].iter().all(|v| v.is_nan()));
}

#[test]
fn errors_name_the_limit() {
    let g = Graph::new();
    let (x, n) = (g.input("x", DType::F32, [2]).unwrap(), g.input("n", DType::I32, [2]).unwrap());
    let text = x.var(&[0], f64::NAN, false).unwrap_err().to_string();
    assert!(text.contains("correction is NaN; it must be finite"), "{text}");
    let text = n.var(&[0], 0.0, false).unwrap_err().to_string();
    assert!(text.contains("`var` of (i32[2]): it takes f32 or f64, got i32"), "{text}");
}
