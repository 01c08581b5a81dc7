use super::RationalForm::{self, A, B};
use crate::{DType, Device, Graph, HostTensor, ops::testing::*};

/// Outputs alone.
fn value(form: RationalForm, x: &[f64], p: &[f64], q: &[f64]) -> Vec<f64> {
    let g = Graph::new();
    let [p, q] = [p, q].map(|c| g.tensor(host(c, &[1, c.len()])).unwrap());
    let y = g.input("x", DType::F32, [x.len()]).unwrap().rational(&p, &q, form).unwrap();
    both(&g, &[&y], &[("x", host(x, &[x.len()]))]).remove(0)
}

/// Outputs and gradients to x, numerator and denominator of Σ y.
fn run(form: RationalForm, x: &[f64], p: &[f64], q: &[f64]) -> Vec<Vec<f64>> {
    let g = Graph::new();
    let input = |name: &str, shape: &[usize]| g.input(name, DType::F32, shape).unwrap();
    let (tx, tp, tq) = (input("x", &[x.len()]), input("p", &[1, p.len()]), input("q", &[1, q.len()]));
    let y = tx.rational(&tp, &tq, form).unwrap();
    let d = y.sum(&[0], false).unwrap().grad(&[&tx, &tp, &tq]).unwrap();
    let feeds = [("x", host(x, &[x.len()])), ("p", host(p, &[1, p.len()])), ("q", host(q, &[1, q.len()]))];
    both(&g, &[&y, &d[0], &d[1], &d[2]], &feeds)
}

fn near(got: &[f64], want: &[f64]) {
    assert_eq!(got.len(), want.len());
    for (a, b) in got.iter().zip(want) {
        assert!((a - b).abs() <= 2e-6 * b.abs().max(1e-30), "{got:?}, not {want:?}");
    }
}

#[test]
fn golden_values() {
    let a = run(A, &[2.0], &[0.0, 1.0, 0.5], &[0.2, -0.3]);
    near(&a[0], &[1.538_461_538_5]);
    near(&a[1], &[0.325_443_8]);
    near(&a[2], &[1.0 / 2.6, 2.0 / 2.6, 4.0 / 2.6]);
    near(&a[3], &[-2.0 * 4.0 / 6.76, 4.0 * 4.0 / 6.76]);
    let b = run(B, &[2.0], &[0.0, 1.0, 0.5], &[0.2, -0.3]);
    near(&b[0], &[2.222_222_222_2]);
    near(&b[1], &[0.432_098_8]);
    near(&b[3], &[2.0 * 4.0 / 3.24, 4.0 * 4.0 / 3.24]);
}

#[test]
fn at_zero_the_absolute_values_have_no_slope() {
    for form in [A, B] {
        let got = run(form, &[0.0], &[3.0, 0.5], &[0.7, 0.1]);
        assert_eq!(got.concat(), [3.0, 0.5, 1.0, 0.0, 0.0, 0.0]);
    }
    // The sum 2·½ − 1 is 0 too.
    let got = run(B, &[0.5], &[1.0], &[2.0, -4.0]);
    assert_eq!(got.concat(), [1.0, 0.0, 1.0, 0.0, 0.0]);
}

#[test]
fn large_numbers_are_no_quotients_of_infinities() {
    for form in [A, B] {
        let x = [1e12, -1e12, 1e38, -1e38];
        let got = run(form, &x, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[0.5, 0.25, 0.125, 2.0]);
        near(&got[0], &x.map(|x| 3.0 * x));
        near(&got[1], &[3.0; 4]);
        // The other coefficients' gradients are smaller by powers of x.
        near(&got[2][4..5], &[2.0]);
        near(&got[3][3..], &[0.0]);
        // As many powers above as below, and fewer above.
        near(&value(form, &x, &[0.0, 0.0, 7.0], &[0.0, 2.0]), &[3.5; 4]);
        near(&value(form, &x, &[5.0], &[0.0, 2.0]), &[2.5e-24, 2.5e-24, 0.0, 0.0]);
        // Coefficients that are 0 do not count as powers.
        near(&value(form, &x[..2], &[0.0, 1.0, 0.0, 0.0], &[0.0, 1.0, 0.0, 0.0]), &[1e-12, -1e-12]);
        near(&value(form, &x, &[0.0, 1.0, 0.0], &[0.0; 4]), &x);
    }
}

#[test]
fn groups_have_coefficients_of_their_own() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [2, 4]).unwrap();
    let p = g.tensor(host(&[1.0, 1.0, 0.0, 2.0], &[2, 2])).unwrap();
    let q = g.tensor(host(&[0.0, 1.0], &[2, 1])).unwrap();
    let y = x.rational(&p, &q, A).unwrap();
    let feeds = [("x", host(&[1.0, 2.0, 1.0, 3.0, -1.0, 0.0, -1.0, 0.0], &[2, 4]))];
    assert_eq!(both(&g, &[&y], &feeds)[0], [2.0, 3.0, 1.0, 1.5, 0.0, 1.0, -1.0, 0.0]);
}

#[test]
fn published_coefficients_give_the_function_that_they_fit() {
    // Coefficients of swish in form A (rational_kat_cu).
    let p = [3.05e-7, 0.500_000_785, 0.249_997_834, 0.053_266_283, 0.005_803_035, 0.000_275_196];
    let q = [-4.11e-6, 0.106_528_993, -1.269e-6, 0.000_550_233];
    let x: Vec<f64> = (-12..=12).map(|i| f64::from(i) / 4.0).collect();
    let silu = x.iter().map(|x| x / (1.0 + (-x).exp()));
    let got = value(A, &x, &p, &q);
    assert!(got.iter().zip(silu).all(|(a, b)| (a - b).abs() < 1e-5), "{got:?}");
}

#[test]
fn what_does_not_fit_is_said() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [2, 6]).unwrap();
    let of = |shape: &[usize]| g.input(&format!("c{}", g.len()), DType::F32, shape).unwrap();
    let say = |p: &[usize], q: &[usize]| x.rational(&of(p), &of(q), B).unwrap_err().to_string();
    let text = say(&[4, 3], &[4, 2]);
    assert!(
        text.contains(
            "`rational` of (f32[2, 6], f32[4, 3], f32[4, 2]): the last dimension of x is 6; it does not split into 4 groups"
        ),
        "{text}"
    );
    assert!(say(&[2, 3], &[3, 2]).contains("the numerator has 2 groups, the denominator 3"));
    assert!(
        say(&[3], &[3, 2]).contains("the numerator is [3]; it must be [groups, terms] with 1 to 32 terms")
    );
    assert!(say(&[2, 3], &[2, 0]).contains("the denominator is [2, 0]"));
    assert!(say(&[2, 33], &[2, 2]).contains("with 1 to 32 terms"));
    let p = g.input("p", DType::F64, [1, 2]).unwrap();
    assert!(x.rational(&p, &of(&[1, 2]), A).unwrap_err().to_string().contains("all must be f32 or all f64"));
}

#[test]
fn gradients_of_three_orders_agree_with_central_differences() {
    for form in [A, B] {
        let g = Graph::new();
        let input = |name: &str, shape: &[usize]| g.input(name, DType::F64, shape).unwrap();
        let (x, p, q) = (input("x", &[2, 4]), input("p", &[2, 3]), input("q", &[2, 2]));
        let feeds = [("x", wave(&[2, 4], 0.3)), ("p", wave(&[2, 3], 0.9)), ("q", wave(&[2, 2], 1.9))];
        let mut y = x.rational(&p, &q, form).unwrap().sum(&[0, 1], false).unwrap();
        for _ in 0..3 {
            check_gradients(&g, &y, &[(&x, "x"), (&p, "p"), (&q, "q")], &feeds);
            let d = y.grad(&[&x, &p, &q]).unwrap();
            let square = |t: &crate::Tensor| t.square().unwrap().sum(&[0, 1], false).unwrap();
            y = square(&d[0]).add(square(&d[1])).unwrap().add(square(&d[2])).unwrap();
        }
    }
}

#[test]
fn an_input_made_of_coefficients_counts_once() {
    // x = p₀ x₀: the second gradient to p must not be counted along both ways at once.
    let g = Graph::new();
    let (x0, p) = (g.input("x", DType::F64, [3]).unwrap(), g.input("p", DType::F64, [1, 3]).unwrap());
    let q = g.tensor(HostTensor::new(&[0.4f64, -0.2], [1, 2]).unwrap()).unwrap();
    let x = x0.mul(p.slice(1, 0, 1).unwrap().reshape([1]).unwrap()).unwrap();
    let y = x.rational(&p, &q, B).unwrap().square().unwrap().sum(&[0], false).unwrap();
    let feeds = [("x", wave(&[3], 0.3)), ("p", wave(&[1, 3], 0.9))];
    let slope = y.grad(&[&x0]).unwrap()[0].square().unwrap().sum(&[0], false).unwrap();
    check_gradients(&g, &slope, &[(&x0, "x"), (&p, "p")], &feeds);
}

#[test]
fn many_elements_are_summed_in_the_same_order_by_any_number_of_threads() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [500, 64]).unwrap();
    let (p, q) = (g.input("p", DType::F32, [8, 6]).unwrap(), g.input("q", DType::F32, [8, 4]).unwrap());
    let d = x.rational(&p, &q, A).unwrap().sum(&[0, 1], false).unwrap().grad(&[&p, &q]).unwrap();
    let mut program = Device::cpu().compile(&g, &[&d[0], &d[1]], &[]).unwrap();
    let feeds = [
        ("x", wave(&[500, 64], 0.1).cast(DType::F32)),
        ("p", wave(&[8, 6], 0.2).cast(DType::F32)),
        ("q", wave(&[8, 4], 0.3).cast(DType::F32)),
    ];
    let mut run = || program.run(feeds.iter().map(|(n, t)| (*n, t))).unwrap().wait().unwrap();
    assert_eq!(run()[0].device_bytes(), run()[0].device_bytes());
}
