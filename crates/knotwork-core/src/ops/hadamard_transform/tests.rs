use crate::{DType, Dim, Graph, ops::testing::*};

#[test]
fn golden_values() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [2, 4]).unwrap();
    let got = both(
        &g,
        &[&x.hadamard_transform().unwrap()],
        &[("x", host(&[1.0, 2.0, 3.0, 4.0, 0.0, 1.0, 0.0, 0.0], &[2, 4]))],
    );
    assert_eq!(got[0], [5.0, -1.0, -2.0, 0.0, 0.5, -0.5, 0.5, -0.5]);
}

#[test]
fn twice_is_the_identity_in_one_pass_and_in_two() {
    for n in [1, 2, 512, 8192] {
        let g = Graph::new();
        let x = g.input("x", DType::F32, [2, n]).unwrap();
        let back = x.hadamard_transform().unwrap().hadamard_transform().unwrap();
        let feed = wave(&[2, n], 0.4).cast(DType::F32);
        let got = both(&g, &[&back], &[("x", feed.clone())]).remove(0);
        for (a, b) in got.iter().zip(feed.to_f64()) {
            assert!((a - b).abs() < 1e-6, "{a}, not {b}, n = {n}");
        }
    }
}

#[test]
fn what_does_not_fit_is_said() {
    let g = Graph::new();
    let say = |dtype, dims: Vec<Dim>| {
        let x = g.input(&format!("x{}", g.len()), dtype, dims).unwrap();
        x.hadamard_transform().unwrap_err().to_string()
    };
    let text = say(DType::F32, vec![2.into(), 12.into()]);
    assert!(
        text.contains(
            "`hadamard_transform` of (f32[2, 12]): the last dimension is 12; it must be a power of two"
        ),
        "{text}"
    );
    assert!(say(DType::F32, vec![(1 << 25).into()]).contains("it must be at most 16777216"));
    assert!(say(DType::F32, vec![0.into()]).contains("is 0; it must be a power of two"));
    assert!(say(DType::F32, vec![Dim::named("n")]).contains("named `n`"));
    assert!(say(DType::F32, Vec::new()).contains("no dimension"));
    assert!(say(DType::I32, vec![4.into()]).contains("it takes f32 or f64, got i32"));
}

#[test]
fn gradients_agree_with_central_differences() {
    let g = Graph::new();
    let x = g.input("x", DType::F64, [2, 8]).unwrap();
    let y = x.hadamard_transform().unwrap().exp().unwrap().sum(&[0, 1], false).unwrap();
    check_gradients(&g, &y, &[(&x, "x")], &[("x", wave(&[2, 8], 0.3))]);
}
