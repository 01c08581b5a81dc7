use super::Feature;
use crate::{DType, Dim, Graph, ops::testing::*};

#[test]
fn golden_values() {
    let g = Graph::new();
    let t = |n: &str, shape: [usize; 2]| g.input(n, DType::F32, shape).unwrap();
    let (q, k, v) = (t("q", [2, 2]), t("k", [3, 2]), t("v", [3, 2]));
    let feeds = [
        ("q", host(&[1.0, -1.0, 0.5, 2.0], &[2, 2])),
        ("k", host(&[-0.5, 1.0, 2.0, 0.25, 1.0, -2.0], &[3, 2])),
        ("v", host(&[1.0, 2.0, -3.0, 0.5, 4.0, -1.0], &[3, 2])),
    ];
    let (whole, causal) = (false, true);
    let (divided, plain) = (true, false);
    let want = [
        (Feature::Elu1, whole, divided, [-0.09885489, 0.24704326, -0.2270939, 0.78308416]),
        (Feature::Elu1, whole, plain, [-1.23157943, 3.07777799, -4.21618061, 14.53858613]),
        (Feature::Elu1, causal, divided, [-2.07294693, 0.84764471, -0.2270939, 0.78308416]),
        (Feature::Elu1, causal, plain, [-17.4307277, 7.12756505, -4.21618061, 14.53858613]),
        (Feature::Relu, whole, divided, [-0.66666644, 0.0, -0.12499997, 1.06249973]),
        (Feature::Relu, causal, divided, [-2.9999985, 0.49999975, -0.12499997, 1.06249973]),
        (Feature::Relu, causal, plain, [-6.0, 1.0, -0.5, 4.25]),
        (Feature::Identity, whole, plain, [5.25, -5.125, -16.75, 7.75]),
        (Feature::Identity, causal, plain, [-6.75, -2.125, -16.75, 7.75]),
    ];
    for (feature, causal, normalize, want) in want {
        let y = q.linear_attention(&k, &v, feature, causal, normalize).unwrap();
        for (got, want) in both(&g, &[&y], &feeds).remove(0).into_iter().zip(want) {
            assert!((got - want).abs() < 1e-5, "{got}, not {want}: {feature:?}, {causal}, {normalize}");
        }
    }
}

#[test]
fn a_query_that_sees_no_key_gives_zero() {
    let g = Graph::new();
    let t = |n: &str, shape: [usize; 2]| g.input(n, DType::F32, shape).unwrap();
    let y = t("q", [3, 1]).linear_attention(&t("k", [1, 1]), &t("v", [1, 1]), Feature::Elu1, true, true);
    let one = |n: usize| host(&vec![1.0; n], &[n, 1]);
    let got = both(&g, &[&y.unwrap()], &[("q", one(3)), ("k", one(1)), ("v", one(1))]).remove(0);
    assert_eq!(got[..2], [0.0, 0.0]);
    assert!((got[2] - 1.0).abs() < 1e-6);
}

#[test]
fn what_does_not_fit_is_said() {
    let g = Graph::new();
    let t = |dims: &[Dim]| g.input(&format!("t{}", g.len()), DType::F32, dims.to_vec()).unwrap();
    let say = |q: &[Dim], k: &[Dim], v: &[Dim]| {
        let refused = t(q).linear_attention(&t(k), &t(v), Feature::Elu1, true, true);
        refused.unwrap_err().to_string()
    };
    let d = |sizes: &[usize]| sizes.iter().map(|&n| n.into()).collect::<Vec<Dim>>();
    let text = say(&d(&[2, 3]), &d(&[4, 3]), &d(&[5, 2]));
    assert!(text.contains("`linear_attention` of (f32[2, 3], f32[4, 3], f32[5, 2])"), "{text}");
    assert!(
        text.contains("the lengths of k and v (their last dimension but one) must be equal, got 4 and 5"),
        "{text}"
    );
    let text = say(&d(&[2, 3]), &d(&[4, 2]), &d(&[4, 2]));
    assert!(text.contains("the last dimensions of q and k must be equal, got 3 and 2"), "{text}");
    let text = say(&d(&[3]), &d(&[3]), &d(&[3]));
    assert!(text.contains("q has rank 1; it takes [.., Lq, D]"), "{text}");
    let text = say(&d(&[1, 2, 3]), &d(&[1, 4, 3]), &d(&[4, 2]));
    assert!(text.contains("v has rank 2, q has 3; they must be equal"), "{text}");
    let text = say(&d(&[1, 2, 3]), &d(&[2, 4, 3]), &d(&[1, 4, 2]));
    assert!(text.contains("dimension 0 of q and k must be equal, got 1 and 2"), "{text}");
    let n = Dim::named("n");
    let text = say(&d(&[2, 3]), &[n.clone(), 3.into()], &[n.clone(), 2.into()]);
    assert!(
        text.contains("the length of k, as causal sums need it, is named `n`; it must be fixed"),
        "{text}"
    );
    let text = say(&d(&[2, 3]), &d(&[4, 3]), &[4.into(), n]);
    assert!(text.contains("the last dimension of v is named `n`; it must be fixed"), "{text}");
}
