use super::CausalProduct;
use crate::{DType, Dim, Graph, Site, ops::testing::*};

#[test]
fn golden_values() {
    let g = Graph::new();
    let t = |n: &str, shape: [usize; 2]| g.input(n, DType::F32, shape).unwrap();
    let (q, k, v) = (t("q", [2, 2]), t("k", [3, 2]), t("v", [3, 2]));
    let got = both(
        &g,
        &[&q.causal_linear_product(&k, &v).unwrap(), &q.causal_linear_product_reverse(&k, &v).unwrap()],
        &[
            ("q", host(&[1.0, -1.0, 0.5, 2.0], &[2, 2])),
            ("k", host(&[-0.5, 1.0, 2.0, 0.25, 1.0, -2.0], &[3, 2])),
            ("v", host(&[1.0, 2.0, -3.0, 0.5, 4.0, -1.0], &[3, 2])),
        ],
    );
    assert_eq!(got[0], [-6.75, -2.125, -16.75, 7.75]);
    // Scores 1.75, 3 and −3.5.
    assert_eq!(got[1], [6.75, -2.125, -14.0, 3.5]);
}

/// Every offset, both directions, lengths on both sides of a block, against the plain loops.
#[test]
fn all_offsets_agree_with_the_definition() {
    for (n, m) in [(1, 1), (17, 40), (40, 17), (16, 16), (3, 0)] {
        for offset in [-70, -17, -1, 0, 1, 16, 23, 70] {
            for reverse in [false, true] {
                let g = Graph::new();
                let t = |name: &str, shape: [usize; 3]| g.input(name, DType::F32, shape).unwrap();
                let (a, b, c) = (t("a", [2, n, 3]), t("b", [2, m, 3]), t("c", [2, m, 5]));
                let op = CausalProduct { offset, reverse };
                let y = g.apply_one(op, &[&a, &b, &c], Site::here()).unwrap();
                let feed = |shape: &[usize], phase: f64| wave(shape, phase).cast(DType::F32);
                let feeds = [
                    ("a", feed(&[2, n, 3], 0.1)),
                    ("b", feed(&[2, m, 3], 0.5)),
                    ("c", feed(&[2, m, 5], 0.9)),
                ];
                both(&g, &[&y], &feeds);
            }
        }
    }
}

#[test]
fn gradients_agree_with_central_differences() {
    for (n, m) in [(2, 4), (4, 2), (3, 3)] {
        for reverse in [false, true] {
            let g = Graph::new();
            let t = |name: &str, shape: [usize; 2]| g.input(name, DType::F64, shape).unwrap();
            let (q, k, v) = (t("q", [n, 2]), t("k", [m, 2]), t("v", [m, 3]));
            let y = if reverse {
                q.causal_linear_product_reverse(&k, &v)
            } else {
                q.causal_linear_product(&k, &v)
            };
            let y = y.unwrap().tanh().unwrap().sum(&[0, 1], false).unwrap();
            let feeds = [("q", wave(&[n, 2], 0.1)), ("k", wave(&[m, 2], 0.5)), ("v", wave(&[m, 3], 0.9))];
            check_gradients(&g, &y, &[(&q, "q"), (&k, "k"), (&v, "v")], &feeds);
        }
    }
}

#[test]
fn what_lies_behind_a_query_does_not_reach_it() {
    let g = Graph::new();
    let t = |n: &str| g.input(n, DType::F32, [3, 1]).unwrap();
    let y = t("q").causal_linear_product(&t("k"), &t("v")).unwrap();
    let one = || host(&[1.0; 3], &[3, 1]);
    let got =
        both(&g, &[&y], &[("q", one()), ("k", one()), ("v", host(&[1.0, 2.0, f64::INFINITY], &[3, 1]))]);
    assert_eq!(got[0], [1.0, 3.0, f64::INFINITY]);
}

#[test]
fn what_does_not_fit_is_said() {
    let g = Graph::new();
    let t = |dtype, dims: &[Dim]| g.input(&format!("t{}", g.len()), dtype, dims.to_vec()).unwrap();
    let f = |dims: &[Dim]| t(DType::F32, dims);
    let d = |sizes: &[usize]| sizes.iter().map(|&n| n.into()).collect::<Vec<Dim>>();
    let (q, k, v) = (f(&d(&[2, 3])), f(&d(&[4, 3])), f(&d(&[4, 5])));
    let text = q.causal_linear_product(&k, &f(&d(&[3, 5]))).unwrap_err().to_string();
    assert!(text.contains("`causal_linear_product` of (f32[2, 3], f32[4, 3], f32[3, 5])"), "{text}");
    assert!(
        text.contains("the lengths of k and v (their last dimension but one) must be equal, got 4 and 3"),
        "{text}"
    );
    let text = q.causal_linear_product(&v, &v).unwrap_err().to_string();
    assert!(text.contains("the last dimensions of q and k must be equal, got 3 and 5"), "{text}");
    let text = f(&d(&[3])).causal_linear_product(&k, &v).unwrap_err().to_string();
    assert!(text.contains("q has rank 1; it takes [.., L, D]"), "{text}");
    let text = q.causal_linear_product(&k, &t(DType::I32, &d(&[4, 5]))).unwrap_err().to_string();
    assert!(text.contains("it takes f32 or f64, v is i32; cast first"), "{text}");
    let text = f(&[Dim::named("n"), 3.into()]).causal_linear_product(&k, &v).unwrap_err().to_string();
    assert!(text.contains("the length of q is named `n`; it must be fixed"), "{text}");
}
