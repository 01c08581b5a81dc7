//! Bases other than B-splines: golden values, derivatives, saturation, f32 against f64, layers and refusals.

use super::{
    super::{Basis, op::KanSum, op::Kind, op::Spacing, reference},
    MAX_DERIVATIVE,
    fill::fill_lanes,
    real::{LANES, Lanes},
};
use crate::{
    DType, Device, Graph, HostTensor, Result, Tensor,
    cpu::evaluate,
    ops::testing::{both, check_gradients, wave},
};

fn close(got: &[f64], want: &[f64], limit: f64) {
    assert_eq!(got.len(), want.len());
    for (g, w) in got.iter().zip(want) {
        assert!((g - w).abs() <= limit * w.abs().max(1.0), "{got:?}, not {want:?}");
    }
}

/// One of each, and larger ones.
fn all() -> Vec<Basis> {
    vec![
        Basis::rbf(8, (-2.0, 2.0), None).unwrap(),
        Basis::rbf(1, (0.3, 2.0), Some(0.4)).unwrap(),
        Basis::chebyshev(8).unwrap(),
        Basis::legendre(8).unwrap(),
        Basis::jacobi(5, 1.0, 1.0).unwrap(),
        Basis::jacobi(4, 0.5, -0.5).unwrap(),
        Basis::jacobi(4, -0.25, -0.75).unwrap(),
        Basis::hermite(6).unwrap(),
        Basis::fourier(20).unwrap(),
        Basis::relu_kan(5, 3).unwrap(),
        Basis::relu_kan(4, 0).unwrap(),
        Basis::bernstein(8).unwrap(),
        Basis::chebyshev(0).unwrap(),
        Basis::bernstein(0).unwrap(),
    ]
}

#[test]
fn the_functions_have_their_known_values() {
    // At u = 0.3, of which x is the inverse of the squash; slopes by u.
    let x = libm::atanh(0.3);
    let polynomials = [
        (Basis::chebyshev(5), [0.3, -0.82, -0.792, 0.3448, 0.99888], [1.0, 1.2, -1.92, -3.936, 0.248]),
        (
            Basis::legendre(5),
            [0.3, -0.365, -0.3825, 0.0729375, 0.34538625],
            [1.0, 0.9, -0.825, -1.7775, -0.1685625],
        ),
        (
            Basis::jacobi(5, 1.0, 1.0),
            [0.6, -0.4125, -0.711, -0.0561875, 0.5776425],
            [2.0, 2.25, -1.11, -3.8325, -1.322625],
        ),
        (Basis::hermite(5), [0.6, -1.64, -3.384, 7.8096, 31.75776], [2.0, 2.4, -9.84, -27.072, 78.096]),
    ];
    for (basis, values, slopes) in polynomials {
        let basis = basis.unwrap();
        close(&basis.evaluate(x, 0).unwrap()[1..], &values, 1e-13);
        let got: Vec<f64> = basis.evaluate(x, 1).unwrap()[1..].iter().map(|s| s / (1.0 - 0.09)).collect();
        close(&got, &slopes, 1e-12);
    }
    let bernstein = Basis::bernstein(3).unwrap();
    let x = libm::log(0.3 / 0.7);
    close(&bernstein.evaluate(x, 0).unwrap(), &[0.343, 0.441, 0.189, 0.027], 1e-14);
    let got: Vec<f64> = bernstein.evaluate(x, 1).unwrap().iter().map(|s| s / 0.21).collect();
    close(&got, &[-1.47, 0.21, 0.99, 0.27], 1e-13);
    let relu = Basis::relu_kan(5, 3).unwrap().evaluate(0.3, 0).unwrap();
    close(&relu, &[0.0, 0.191_406_25, 0.878_906_25, 0.878_906_25, 0.191_406_25, 0.0, 0.0, 0.0], 1e-14);
    let rbf = Basis::rbf(1, (0.0, 1.0), Some(2.0)).unwrap();
    close(&rbf.evaluate(1.0, 0).unwrap(), &[0.778_800_783_071], 1e-12);
    close(&rbf.evaluate(1.0, 1).unwrap(), &[-0.778_800_783_071 / 2.0], 1e-12);
    let fourier = Basis::fourier(2).unwrap().evaluate(0.7, 0).unwrap();
    close(&fourier, &[libm::cos(0.7), libm::cos(1.4), libm::sin(0.7), libm::sin(1.4)], 1e-15);
}

#[test]
fn a_derivative_is_the_slope_of_the_one_before() {
    for basis in all() {
        for d in 0..MAX_DERIVATIVE {
            for i in 0..50 {
                let x = -2.9 + 0.1171 * f64::from(i);
                let (a, b) = (basis.evaluate(x + 1e-5, d).unwrap(), basis.evaluate(x - 1e-5, d).unwrap());
                let slope: Vec<f64> = a.iter().zip(&b).map(|(a, b)| (a - b) / 2e-5).collect();
                let got = basis.evaluate(x, d + 1).unwrap();
                let size = got.iter().fold(1.0f64, |m, v| m.max(v.abs()));
                for (g, w) in got.iter().zip(&slope) {
                    assert!(
                        (g - w).abs() < 1e-6 * size,
                        "{basis}, derivative {} at {x}: {g}, slope {w}",
                        d + 1
                    );
                }
            }
        }
        assert!(basis.evaluate(0.0, MAX_DERIVATIVE + 1).is_none());
    }
}

#[test]
fn f32_agrees_everywhere_and_never_turns_to_nan() {
    let mut x: Vec<f32> = (-400..400).map(|i| i as f32 * 0.00813).collect();
    x.extend([10.0, -10.0, 30.0, -30.0, 9.02, 88.0, -104.0, 1e30, -1e30, 0.0, 1.0, 0.2]);
    for basis in all().into_iter().chain([Basis::rbf(200, (-2.0, 2.0), None).unwrap()]) {
        let n = basis.count();
        for d in 0..=2 {
            let want: Vec<Vec<f64>> = x.iter().map(|&x| reference::basis(&basis, x.into(), d)).collect();
            let size = want.iter().flatten().fold(1.0f64, |m, v| m.max(v.abs()));
            for (p, &x) in x.iter().enumerate() {
                let mut got = vec![f32::NAN; n];
                fill_lanes(&basis, d, Lanes([x; LANES]), |m, v| got[m] = v.0[LANES - 1]);
                for (g, w) in got.iter().zip(&want[p]) {
                    let error = (f64::from(*g) - w).abs() / size;
                    assert!(error < 5e-6, "{basis}, derivative {d} at {x}: {g}, not {w} (of {size})");
                }
            }
        }
    }
}

#[test]
fn the_ends_have_limits() {
    for basis in all() {
        let periodic = basis.to_string().starts_with("fourier");
        for x in [f64::INFINITY, f64::NEG_INFINITY] {
            for d in 0..=2 {
                let ok = |v: f64| if periodic { v.is_nan() } else { v.is_finite() && (d == 0 || v == 0.0) };
                let exact = basis.evaluate(x, d).unwrap();
                assert!(exact.iter().all(|&v| ok(v)), "{basis}, derivative {d} at {x}: {exact:?}");
                fill_lanes(&basis, d, Lanes([x as f32; LANES]), |m, v| {
                    assert!(ok(v.0[0].into()), "{basis}, function {m}, derivative {d} at {x}: {}", v.0[0]);
                });
            }
        }
    }
}

/// x, coef, base weight and bias of a layer.
fn layer(g: &Graph, dtype: DType, [b, i, o]: [usize; 3], basis: &Basis) -> Result<(Vec<Tensor>, Tensor)> {
    let inputs = vec![
        g.input("x", dtype, [b, i])?,
        g.input("coef", dtype, [o, i, basis.count()])?,
        g.input("base", dtype, [o, i])?,
        g.input("bias", dtype, [o])?,
    ];
    let y = inputs[0].kan_layer(&inputs[1], Some(&inputs[2]), Some(&inputs[3]), basis)?;
    Ok((inputs, y))
}

const NAMES: [&str; 4] = ["x", "coef", "base", "bias"];

#[test]
fn gradients_twice_agree_with_differences() {
    for basis in all().into_iter().filter(|b| b.count() < 9) {
        let g = Graph::new();
        let (inputs, y) = layer(&g, DType::F64, [2, 2, 3], &basis).unwrap();
        let feeds: Vec<(&str, HostTensor)> = inputs
            .iter()
            .zip(NAMES)
            .map(|(t, name)| (name, wave(&t.shape().fixed().unwrap(), 0.3 + name.len() as f64)))
            .collect();
        let loss = y.square().unwrap().sum(&[0, 1], false).unwrap();
        let refs: Vec<(&Tensor, &str)> = inputs.iter().zip(NAMES).collect();
        check_gradients(&g, &loss, &refs, &feeds);
        let first = loss.grad(&inputs.iter().collect::<Vec<_>>()).unwrap();
        let mut mix = loss.mul(0.1).unwrap();
        for t in &first[..3] {
            let axes: Vec<isize> = (0..t.rank() as isize).collect();
            mix = mix.add(t.square().unwrap().sum(&axes, false).unwrap().mul(0.01).unwrap()).unwrap();
        }
        check_gradients(&g, &mix, &refs, &feeds);
    }
}

#[test]
fn the_fast_path_agrees_with_the_reference() {
    let shapes = [[1, 1, 1], [65, 3, 10], [257, 17, 1], [130, 5, 65], [3, 300, 4], [0, 3, 2]];
    for (k, basis) in all().into_iter().enumerate() {
        let sizes = shapes[k % shapes.len()];
        let g = Graph::new();
        let (inputs, y) = layer(&g, DType::F32, sizes, &basis).unwrap();
        let feeds: Vec<(&str, HostTensor)> = inputs
            .iter()
            .zip(NAMES)
            .map(|(t, name)| (name, wave(&t.shape().fixed().unwrap(), 0.1).cast(DType::F32)))
            .collect();
        let dy = g.tensor(wave(&[sizes[0], sizes[2]], 0.7).cast(DType::F32)).unwrap();
        let mut outputs = g.vjp(&[(&y, &dy)], &inputs.iter().collect::<Vec<_>>()).unwrap();
        outputs.push(y);
        let refs: Vec<&Tensor> = outputs.iter().collect();
        let want = evaluate(&g, &refs, &feeds.iter().cloned().collect()).unwrap();
        let mut program = Device::cpu().compile(&g, &refs, &[]).unwrap();
        let got = program.run(feeds.iter().map(|(n, t)| (*n, t))).unwrap().wait().unwrap();
        for (at, (got, want)) in got.iter().zip(&want).enumerate() {
            let size = want.to_f64().iter().fold(1.0f64, |a, b| a.max(b.abs()));
            for (g, w) in got.to_f64().iter().zip(want.to_f64()) {
                assert!((g - w).abs() < 1e-5 * size, "{basis} {sizes:?} output {at}: {g}, not {w} of {size}");
            }
        }
    }
}

#[test]
fn the_three_sums_are_adjoint() {
    for basis in all() {
        for d in 0..=MAX_DERIVATIVE {
            let g = Graph::new();
            let given = |shape: &[usize], phase| g.tensor(wave(shape, phase)).unwrap();
            let (x, u, dy) = (given(&[5, 3], 0.1), given(&[5, 3], 0.2), given(&[5, 4], 0.3));
            let (c, w) = (given(&[3, basis.count(), 4], 0.4), given(&[3, 4], 0.5));
            let site = crate::Site::here();
            let op = KanSum {
                kind: Kind::Forward,
                basis,
                derivative: d,
                base: true,
                scale: true,
                spacing: Spacing::Even,
            };
            let y = op.apply(&[&x, &c, &w, &u], site).unwrap().remove(0);
            let input = KanSum { kind: Kind::Input, scale: false, ..op };
            let v = input.apply(&[&x, &dy, &c, &w], site).unwrap().remove(0);
            let p = KanSum { kind: Kind::Coefficients, ..op }.apply(&[&x, &dy, &u], site).unwrap();
            let dot = |a: &Tensor, b: &Tensor| {
                let axes: Vec<isize> = (0..a.rank() as isize).collect();
                a.mul(b).unwrap().sum(&axes, false).unwrap()
            };
            let three = [dot(&y, &dy), dot(&v, &u), dot(&p[0], &c).add(dot(&p[1], &w)).unwrap()];
            let got = evaluate(&g, &three.iter().collect::<Vec<_>>(), &[].into()).unwrap();
            let got: Vec<f64> = got.iter().map(|t| t.item::<f64>().unwrap()).collect();
            close(&got, &[got[0]; 3], 1e-11);
        }
    }
}

#[test]
fn the_basis_alone_has_gradients_of_gradients_up_to_its_limit() {
    let g = Graph::new();
    let x = g.input("x", DType::F64, [7]).unwrap();
    let spline = Basis::bspline(4, 3, (-1.0, 1.0)).unwrap();
    for basis in all().into_iter().chain([spline]) {
        let phi = x.basis(basis).unwrap();
        let loss = phi.square().unwrap().sum(&[0, 1], false).unwrap();
        let feeds = [("x", wave(&[7], 0.4))];
        check_gradients(&g, &loss, &[(&x, "x")], &feeds);
        let dx = loss.grad(&[&x]).unwrap().remove(0);
        check_gradients(&g, &dx.square().unwrap().sum(&[0], false).unwrap(), &[(&x, "x")], &feeds);
    }
    let mut y = x.basis(Basis::fourier(2).unwrap()).unwrap().sum(&[1], false).unwrap();
    for _ in 0..MAX_DERIVATIVE {
        y = y.sum(&[0], false).unwrap().grad(&[&x]).unwrap().remove(0);
    }
    let error = y.sum(&[0], false).unwrap().grad(&[&x]).unwrap_err().to_string();
    assert!(error.contains("fourier frequencies=2 has derivatives up to order 3"), "{error}");
    let error = g.input("i", DType::I32, [2]).unwrap().basis(spline).unwrap_err().to_string();
    assert!(error.contains("it takes floats"), "{error}");
}

#[test]
fn saturated_inputs_have_gradients() {
    let g = Graph::new();
    let x = g.tensor(HostTensor::new(&[10.0f32, -10.0, 30.0, -30.0], [4, 1]).unwrap()).unwrap();
    for basis in all() {
        let c = g.tensor(HostTensor::from_f64(DType::F32, &vec![1.0; basis.count()], &[1, 1, basis.count()]));
        let y = x.kan_layer(&c.unwrap(), None, None, basis).unwrap();
        let dx = y.sum(&[0, 1], false).unwrap().grad(&[&x]).unwrap().remove(0);
        let got = evaluate(&g, &[&y, &dx], &[].into()).unwrap();
        assert!(got.iter().all(|t| t.to_f64().iter().all(|v| v.is_finite())), "{basis}");
    }
    let y = x.basis(Basis::bernstein(2).unwrap()).unwrap();
    let got = both(&g, &[&y], &[]);
    close(&got[0][3..6], &[1.0, 0.0, 0.0], 1e-4);
}

#[test]
fn attributes_outside_their_limits_are_refused() {
    for (error, part) in [
        (Basis::rbf(0, (-1.0, 1.0), None), "n is 0; it must be from 1 to 4096"),
        (Basis::rbf(1, (-1.0, 1.0), None), "n is 1 and there is no width"),
        (Basis::rbf(3, (1.0, 1.0), None), "the range [1, 1] must be finite and not empty"),
        (Basis::rbf(3, (2.0, 1.0), Some(1.0)), "the range [2, 1]"),
        (Basis::rbf(3, (0.0, f64::INFINITY), Some(1.0)), "must be finite"),
        (Basis::rbf(3, (0.0, 1.0), Some(0.0)), "width is 0; it must be above 0"),
        (Basis::rbf(3, (0.0, 1.0), Some(f64::NAN)), "width is NaN"),
        (Basis::chebyshev(65), "degree is 65; it must be from 0 to 64: near ±1"),
        (Basis::legendre(1000), "degree is 1000"),
        (Basis::jacobi(3, -1.0, 1.0), "a is -1; it must be above -1"),
        (Basis::jacobi(3, 1.0, f64::NAN), "b is NaN"),
        (Basis::jacobi(65, 1.0, 1.0), "degree is 65"),
        (Basis::hermite(33), "degree is 33; it must be from 0 to 32"),
        (Basis::fourier(0), "frequencies is 0; it must be from 1"),
        (Basis::relu_kan(0, 3), "grid is 0; it must be from 1"),
        (Basis::relu_kan(3, 17), "order is 17; it must be from 0 to 16"),
        (Basis::bernstein(65), "degree is 65"),
        (Basis::bspline(0, 3, (-1.0, 1.0)), "grid is 0"),
        (Basis::bspline(5, 3, (1.0, -1.0)), "range [1, -1]"),
    ] {
        let text = error.unwrap_err().to_string();
        assert!(text.contains(part) && text.contains("tests.rs"), "{text}");
    }
}
