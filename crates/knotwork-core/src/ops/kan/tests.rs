//! The basis against published values and identities, the fast path against the reference, gradients against differences.

use super::{
    BSpline, MAX_DERIVATIVE, fast,
    given::Inputs,
    local::Local,
    op::{KanSum, Kind, Spacing, SplineSum},
};
use crate::{DType, Device, Dim, Graph, HostTensor, Result, Tensor, cpu::evaluate};

/// Numbers in [−1, 1) from a small generator.
pub(super) struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as f64 / f64::from(1u32 << 30) - 1.0
    }

    pub fn tensor(&mut self, dtype: DType, shape: &[usize], scale: f64) -> HostTensor {
        let values: Vec<f64> = (0..shape.iter().product::<usize>()).map(|_| scale * self.next()).collect();
        match dtype {
            DType::F64 => HostTensor::from_vec(values, shape).unwrap(),
            _ => HostTensor::from_vec(values.iter().map(|&v| v as f32).collect(), shape).unwrap(),
        }
    }
}

pub(super) fn close(got: &[f64], want: &[f64], tolerance: f64) {
    assert_eq!(got.len(), want.len());
    for (g, w) in got.iter().zip(want) {
        assert!((g - w).abs() <= tolerance * w.abs().max(1.0), "{got:?}, not {want:?}");
    }
}

#[test]
fn published_values_of_the_cubic_basis() {
    let basis = BSpline::new(5, 3).unwrap();
    let (a, b) = (1.0 / 6.0, 2.0 / 3.0);
    close(&basis.evaluate(-1.0, 0), &[a, b, a, 0.0, 0.0, 0.0, 0.0, 0.0], 1e-15);
    let at = [0.0935859375, 0.6387213542, 0.2667994792, 0.0008932292, 0.0, 0.0, 0.0, 0.0];
    close(&basis.evaluate(-0.93, 0), &at, 1e-10);
    let at = [0.0, 0.0, 0.0208333333, 0.4791666667, 0.4791666667, 0.0208333333, 0.0, 0.0];
    close(&basis.evaluate(0.0, 0), &at, 1e-10);
    let at = [0.0, 0.0, 0.0026041667, 0.3151041667, 0.6119791667, 0.0703125, 0.0, 0.0];
    close(&basis.evaluate(0.1, 0), &at, 1e-10);
    close(&basis.evaluate(0.5, 0)[1..], &at[..7], 1e-10);
}

#[test]
fn splines_sum_to_one_and_their_derivatives_to_nothing() {
    for (grid, order) in [(1, 0), (1, 3), (5, 1), (5, 2), (7, 3), (4, 5), (3, 16)] {
        let basis = BSpline::new(grid, order).unwrap().range(-0.7, 2.1).unwrap();
        for i in 0..100 {
            let x = -0.7 + 2.8 * f64::from(i) / 100.0;
            assert!((basis.evaluate(x, 0).iter().sum::<f64>() - 1.0).abs() < 1e-12);
            for d in 1..=order.min(3) {
                let all = basis.evaluate(x, d);
                let size = all.iter().fold(1.0f64, |a, b| a.max(b.abs()));
                assert!(
                    (all.iter().sum::<f64>() / size).abs() < 1e-12,
                    "order {order}, derivative {d} at {x}"
                );
            }
        }
        let (below, above) = (basis.knot(-(order as isize)) - 1e-9, basis.knot((grid + order) as isize));
        assert!(basis.evaluate(below, 0).iter().chain(&basis.evaluate(above, 0)).all(|&b| b == 0.0));
        assert!(basis.evaluate(f64::NAN, 0).iter().all(|b| b.is_nan()));
    }
}

#[test]
fn a_derivative_is_the_slope_of_the_one_before() {
    let basis = BSpline::new(6, 5).unwrap().range(-1.0, 2.0).unwrap();
    for d in 0..4 {
        for i in 0..60 {
            let x = -3.6 + 0.13 * f64::from(i) + 0.007;
            let (a, b) = (basis.evaluate(x + 1e-5, d), basis.evaluate(x - 1e-5, d));
            let slope: Vec<f64> = a.iter().zip(&b).map(|(a, b)| (a - b) / 2e-5).collect();
            close(&basis.evaluate(x, d + 1), &slope, 1e-6);
        }
    }
}

#[test]
fn attributes_outside_their_limits_are_refused() {
    for error in [
        BSpline::new(0, 3).unwrap_err(),
        BSpline::new(5, 17).unwrap_err(),
        BSpline::new(5, 3).unwrap().range(1.0, 1.0).unwrap_err(),
        BSpline::new(5, 3).unwrap().range(f64::NAN, 1.0).unwrap_err(),
        BSpline::new(5, 3).unwrap().range(0.0, f64::INFINITY).unwrap_err(),
    ] {
        let text = error.to_string();
        assert!(text.contains("BSpline") && text.contains("tests.rs"), "{text}");
    }
}

#[test]
fn local_weights_are_the_basis() {
    for (grid, order, lo, hi, limit) in [
        (5, 3, -1.0, 1.0, 2e-7),
        (50, 3, -1.0, 1.0, 2e-7),
        (200, 3, -1.0, 1.0, 2e-7),
        (1, 0, 0.0, 3.0, 1e-12),
        (4, 6, -2.0, 5.0, 4e-7),
    ] {
        let basis = BSpline::new(grid, order).unwrap().range(lo, hi).unwrap();
        for d in 0..=order.min(3) {
            let op = SplineSum {
                kind: Kind::Forward,
                basis,
                derivative: d,
                base: false,
                scale: false,
                spacing: Spacing::Even,
            };
            let reach = (hi - lo) * (1.0 + 2.2 * order as f64 / grid as f64);
            let mut x: Vec<f32> =
                (0..999).map(|i| ((lo + hi) / 2.0 + reach * (f64::from(i) / 998.0 - 0.5)) as f32).collect();
            x.extend([f32::INFINITY, f32::NEG_INFINITY, 1e30, -0.0, lo as f32, hi as f32]);
            let mut local = Local::new(&op, None, x.len());
            local.fill(&op, Inputs::one(0), &x, None);
            let unit = basis.step().powi(d as i32);
            for (p, &x) in x.iter().enumerate() {
                let mut got = vec![0.0; basis.count()];
                for r in 0..=order {
                    got[local.start[p] as usize + r] = f64::from(local.weights[r * local.stride + p]);
                }
                for (got, want) in got.iter().zip(basis.evaluate(x.into(), d)) {
                    let error = (got - want).abs() * unit;
                    assert!(
                        error <= limit * 2f64.powi(d as i32),
                        "{basis}, derivative {d} at {x}: {got}, not {want}"
                    );
                }
            }
        }
    }
}

/// A layer whose tensors are inputs of the graph: x, coef, base weight, bias.
fn layer(g: &Graph, dtype: DType, [b, i, o]: [usize; 3], basis: &BSpline) -> Result<(Vec<Tensor>, Tensor)> {
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
    for (grid, order, sizes) in [(4, 5, [3, 2, 3]), (3, 4, [2, 3, 1])] {
        let basis = BSpline::new(grid, order).unwrap().range(-1.5, 1.5).unwrap();
        let g = Graph::new();
        let (inputs, y) = layer(&g, DType::F64, sizes, &basis).unwrap();
        let mut random = Random(7);
        let mut host: Vec<HostTensor> =
            inputs.iter().map(|t| random.tensor(DType::F64, &t.shape().fixed().unwrap(), 1.4)).collect();
        // A loss that is no linear function of y; then a mix of its gradients, so that every second derivative counts.
        let loss = y.square().unwrap().sum(&[0, 1], false).unwrap();
        let refs: Vec<&Tensor> = inputs.iter().collect();
        let first = loss.grad(&refs).unwrap();
        let mut mix = loss.clone();
        for (k, t) in first.iter().enumerate() {
            let all: Vec<isize> = (0..t.rank() as isize).collect();
            let term = t.square().unwrap().mul(0.1 + 0.2 * k as f64).unwrap().sum(&all, false).unwrap();
            mix = mix.add(&term).unwrap();
        }
        let second = mix.grad(&refs).unwrap();
        let run = |host: &[HostTensor], outputs: &[&Tensor]| {
            let feeds = NAMES.iter().copied().zip(host.iter().cloned()).collect();
            evaluate(&g, outputs, &feeds).unwrap()
        };
        let exact = run(&host, &second.iter().collect::<Vec<_>>());
        for t in 0..inputs.len() {
            for at in 0..host[t].count() {
                let before = host[t].clone();
                let mut shifted = |by: f64| {
                    let mut values = before.to_f64();
                    values[at] += by;
                    host[t] = HostTensor::from_vec(values, before.shape()).unwrap();
                    run(&host, &[&mix])[0].item::<f64>().unwrap()
                };
                let slope = (shifted(1e-5) - shifted(-1e-5)) / 2e-5;
                host[t] = before;
                let got = exact[t].to_f64()[at];
                assert!(
                    (got - slope).abs() < 1e-5 * slope.abs().max(1.0),
                    "{} [{at}]: {got}, slope {slope}",
                    NAMES[t]
                );
            }
        }
    }
}

#[test]
fn the_three_sums_are_adjoint() {
    let basis = BSpline::new(4, 3).unwrap();
    let (b, i, o) = (5, 3, 4);
    let mut random = Random(3);
    for d in 0..=4 {
        let g = Graph::new();
        let mut given = |shape: &[usize]| g.tensor(random.tensor(DType::F64, shape, 1.3)).unwrap();
        let (x, u, dy) = (given(&[b, i]), given(&[b, i]), given(&[b, o]));
        let (c, w) = (given(&[i, basis.count(), o]), given(&[i, o]));
        let op = KanSum {
            kind: Kind::Forward,
            basis: basis.into(),
            derivative: d,
            base: true,
            scale: true,
            spacing: Spacing::Even,
        };
        let site = crate::Site::here();
        let y = op.apply(&[&x, &c, &w, &u], site).unwrap().remove(0);
        let v = KanSum { kind: Kind::Input, scale: false, ..op }
            .apply(&[&x, &dy, &c, &w], site)
            .unwrap()
            .remove(0);
        let p = KanSum { kind: Kind::Coefficients, ..op }.apply(&[&x, &dy, &u], site).unwrap();
        let dot = |a: &Tensor, b: &Tensor| {
            let all: Vec<isize> = (0..a.rank() as isize).collect();
            a.mul(b).unwrap().sum(&all, false).unwrap()
        };
        let three = [dot(&y, &dy), dot(&v, &u), dot(&p[0], &c).add(dot(&p[1], &w)).unwrap()];
        let got = evaluate(&g, &three.iter().collect::<Vec<_>>(), &[].into()).unwrap();
        let got: Vec<f64> = got.iter().map(|t| t.item::<f64>().unwrap()).collect();
        assert!(got[0].abs() > 1e-3);
        close(&got, &[got[0]; 3], 1e-12);
    }
}

#[test]
fn the_fast_path_agrees_with_the_reference() {
    let shapes = [
        [1, 1, 1],
        [64, 64, 32],
        [64, 32, 10],
        [3, 65, 65],
        [65, 3, 7],
        [130, 5, 8],
        [7, 9, 17],
        [1, 64, 64],
        [5, 2, 3],
        [1030, 2, 24],
        [400, 64, 64],
        [0, 3, 4],
        [4, 20, 33],
        [3, 1100, 1],
        [2, 530, 20],
    ];
    let bases = [(3, 3), (5, 3), (64, 3), (5, 0), (4, 1), (6, 2), (3, 5), (2, 8), (5, 4)];
    for (n, sizes) in shapes.into_iter().enumerate() {
        for &(grid, order) in &bases[n % 3..if n < 7 { 9 } else { n % 3 + 3 }] {
            let basis = BSpline::new(grid, order).unwrap();
            agrees(sizes, &basis, 11 + n as u64);
        }
    }
}

#[test]
fn layers_of_few_outputs_agree_with_the_reference() {
    for (n, sizes) in
        [[64, 2, 1], [130, 3, 5], [1100, 2, 8], [200, 1, 3], [64, 70, 2], [65, 2, 9]].into_iter().enumerate()
    {
        // Tables of one pair of registers, of two, and longer ones.
        for (grid, order) in [(20, 3), (29, 3), (30, 3), (61, 3), (64, 3), (7, 0), (6, 1), (40, 2), (5, 4)] {
            agrees(sizes, &BSpline::new(grid, order).unwrap(), 31 + n as u64);
        }
    }
}

/// That a layer's output and gradients on the CPU are those of the references.
fn agrees(sizes: [usize; 3], basis: &BSpline, seed: u64) {
    let g = Graph::new();
    let (inputs, y) = layer(&g, DType::F32, sizes, basis).unwrap();
    let refs: Vec<&Tensor> = inputs.iter().collect();
    let mut random = Random(seed);
    let dy = g.tensor(random.tensor(DType::F32, &[sizes[0], sizes[2]], 1.0)).unwrap();
    let mut all = g.vjp(&[(&y, &dy)], &refs).unwrap();
    all.push(y);
    let outputs: Vec<&Tensor> = all.iter().collect();
    let mut host: Vec<HostTensor> =
        inputs.iter().map(|t| random.tensor(DType::F32, &t.shape().fixed().unwrap(), 1.0)).collect();
    host[0] = random.tensor(DType::F32, &[sizes[0], sizes[1]], 2.0);
    let feeds: Vec<_> = NAMES.iter().copied().zip(host).collect();
    let mut program = Device::cpu().compile(&g, &outputs, &[]).unwrap();
    let got = program.run(feeds.iter().map(|(n, t)| (*n, t))).unwrap().wait().unwrap();
    // Terms of either sign cancel in a sum, so its error is measured by the largest sum of its kind.
    let want = evaluate(&g, &outputs, &feeds.iter().cloned().collect()).unwrap();
    for (k, (got, want)) in got.iter().zip(&want).enumerate() {
        let size = want.to_f64().iter().fold(1.0f64, |a, b| a.max(b.abs()));
        for (p, (g, w)) in got.to_f64().iter().zip(want.to_f64()).enumerate() {
            let error = (g - w).abs() / size;
            assert!(error < 2e-6, "{sizes:?} {basis} output {k} [{p}]: {g}, not {w}");
        }
    }
}

#[test]
fn every_instruction_set_agrees_with_the_reference() {
    for lanes in [1, 8, usize::MAX] {
        fast::WIDEST.store(lanes, std::sync::atomic::Ordering::Relaxed);
        for sizes in [
            [65, 3, 7],
            [70, 4, 64],
            [9, 6, 44],
            [9, 6, 5],
            [16, 2, 1],
            [30, 20, 130],
            [70, 2, 1],
            [70, 3, 8],
        ] {
            agrees(sizes, &BSpline::new(5, 3).unwrap(), 3);
        }
    }
}

#[test]
fn rows_without_meaning_stay_in_their_rows() {
    for sizes in [[4, 3, 16], [4, 3, 3], [20, 3, 3], [70, 3, 1], [70, 3, 6]] {
        let basis = BSpline::new(5, 3).unwrap();
        let g = Graph::new();
        let (inputs, y) = layer(&g, DType::F32, sizes, &basis).unwrap();
        let dy = g.constant(DType::F32, 1.0).unwrap().broadcast_to([sizes[0], sizes[2]]).unwrap();
        let mut all = g.vjp(&[(&y, &dy)], &inputs.iter().collect::<Vec<_>>()).unwrap();
        all.push(y);
        let mut random = Random(5);
        let mut host: Vec<HostTensor> =
            inputs.iter().map(|t| random.tensor(DType::F32, &t.shape().fixed().unwrap(), 1.0)).collect();
        let mut x: Vec<f32> = host[0].as_slice().unwrap().to_vec();
        (x[4], x[6], x[9]) = (f32::NAN, f32::NEG_INFINITY, 1e30);
        host[0] = HostTensor::new(&x, [sizes[0], 3]).unwrap();
        let feeds: Vec<_> = NAMES.iter().copied().zip(host).collect();
        let outputs: Vec<&Tensor> = all.iter().collect();
        let mut program = Device::cpu().compile(&g, &outputs, &[]).unwrap();
        let got = program.run(feeds.iter().map(|(n, t)| (*n, t))).unwrap().wait().unwrap();
        let want = evaluate(&g, &outputs, &feeds.into_iter().collect()).unwrap();
        for (k, (got, want)) in got.iter().zip(&want).enumerate() {
            for (p, (g, w)) in got.to_f64().iter().zip(want.to_f64()).enumerate() {
                let same = g.is_nan() && w.is_nan() || (g - w).abs() <= 1e-6 * w.abs().max(1.0);
                assert!(same, "{sizes:?} output {k} [{p}]: {g}, not {w}");
            }
        }
        let y = got[4].as_slice::<f32>().unwrap();
        let nan: Vec<bool> = y.chunks(sizes[2]).map(|row| row.iter().all(|v| v.is_nan())).collect();
        assert!(nan.iter().enumerate().all(|(row, &nan)| nan == (row == 1)), "{sizes:?}: {nan:?}");
    }
}

/// Also where no function reaches: 0 times what is no number is none.
#[test]
fn a_scale_that_is_no_number_is_none_beyond_the_grid() {
    let (rows, basis) = (70, BSpline::new(5, 3).unwrap());
    for outputs in [1, 6, 16] {
        let g = Graph::new();
        let given = |shape: &[usize], set: &[(usize, f32)]| {
            let mut values = vec![0.25f32; shape.iter().product()];
            set.iter().for_each(|(at, value)| values[*at] = *value);
            g.tensor(HostTensor::from_vec(values, shape).unwrap()).unwrap()
        };
        let x = given(&[rows, 2], &[(2, 9.0), (5, -7.0)]);
        let u = given(&[rows, 2], &[(2, f32::NAN), (5, f32::INFINITY)]);
        let c = given(&[2, basis.count(), outputs], &[]);
        let (kind, spacing) = (Kind::Forward, Spacing::Even);
        let op = KanSum { kind, basis: basis.into(), derivative: 0, base: false, scale: true, spacing };
        let y = op.apply(&[&x, &c, &u], crate::Site::here()).unwrap().remove(0);
        let mut program = Device::cpu().compile(&g, &[&y], &[]).unwrap();
        let got = program.run::<HostTensor>([]).unwrap().wait().unwrap().remove(0).to_f64();
        let want = evaluate(&g, &[&y], &[].into()).unwrap().remove(0).to_f64();
        for (at, (got, want)) in got.iter().zip(&want).enumerate() {
            let same = got.is_nan() && want.is_nan() || (got - want).abs() < 1e-6;
            assert!(same, "{outputs} outputs, element {at}: {got}, not {want}");
        }
        assert!(got[outputs].is_nan() && got[2 * outputs].is_nan() && got[3 * outputs].is_finite());
    }
}

#[test]
fn a_kept_layout_needs_no_copy_and_the_batch_may_be_named() {
    let g = Graph::new();
    let basis = BSpline::new(3, 3).unwrap();
    let x = g.input("x", DType::F32, [Dim::named("batch"), 2.into(), 4.into()]).unwrap();
    let p = g.parameter("p", HostTensor::zeros(DType::F32, [4, 6, 8])).unwrap();
    let y = x.kan_layer(&p.permute(&[2, 0, 1]).unwrap(), None, None, basis).unwrap();
    assert_eq!(y.shape().to_string(), "[batch, 2, 8]");
    let mut program = Device::cpu().compile(&g, &[&y], &[]).unwrap();
    let plan = program.plan(&[("batch".to_owned(), 5)].into()).unwrap();
    let names: Vec<&str> = plan.steps.iter().map(|s| s.op.name()).collect();
    assert_eq!(names, ["kan_forward"]);
}

#[test]
fn refusals_name_the_layer_the_shapes_and_the_dimension() {
    let g = Graph::new();
    let basis = BSpline::new(5, 3).unwrap();
    let t = |shape: &[usize]| g.tensor(HostTensor::zeros(DType::F32, shape)).unwrap();
    let (x, c) = (t(&[2, 3]), t(&[4, 3, 8]));
    let says = |r: Result<Tensor>, part: &str| {
        let text = r.unwrap_err().to_string();
        assert!(text.contains("`kan_layer`") && text.contains("f32[2, 3]") && text.contains(part), "{text}");
    };
    says(x.kan_layer(&t(&[4, 2, 8]), None, None, basis), "dimension 1 of coef is 2, the last of x is 3");
    says(x.kan_layer(&t(&[4, 3, 7]), None, None, basis), "dimension 2 of coef is 7");
    says(x.kan_layer(&t(&[4, 3]), None, None, basis), "coef has 2 dimensions");
    says(x.kan_layer(&c, Some(&t(&[3, 3])), None, basis), "dimension 0 of base_weight is 3");
    says(x.kan_layer(&c, Some(&t(&[4, 5])), None, basis), "dimension 1 of base_weight is 5");
    says(x.kan_layer(&c, None, Some(&t(&[3])), basis), "bias has shape [3]; it must be [4]");
    says(x.kan_layer(&c.cast(DType::F64).unwrap(), None, None, basis), "one type");
}

#[test]
fn derivatives_end_where_the_layer_says() {
    let g = Graph::new();
    let basis = BSpline::new(3, 2).unwrap();
    let x = g.input("x", DType::F64, [1, 1]).unwrap();
    let (c, w) = (HostTensor::zeros(DType::F64, [1, 1, 5]), HostTensor::zeros(DType::F64, [1, 1]));
    let (c, w) = (g.tensor(c).unwrap(), g.tensor(w).unwrap());
    let mut y = x.kan_layer(&c, Some(&w), None, basis).unwrap();
    for _ in 0..MAX_DERIVATIVE {
        y = y.sum(&[0, 1], false).unwrap().grad(&[&x]).unwrap().remove(0);
    }
    let error = y.sum(&[0, 1], false).unwrap().grad(&[&x]).unwrap_err().to_string();
    assert!(error.contains("up to order 6"), "{error}");
    let mut y = x.kan_layer(&c, None, None, basis).unwrap();
    for _ in 0..10 {
        y = y.sum(&[0, 1], false).unwrap().grad(&[&x]).unwrap().remove(0);
    }
}
