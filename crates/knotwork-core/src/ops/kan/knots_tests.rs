//! Splines on knots of each input and the policies beyond their grid: by hand, against even grids, and against the reference.

use super::{
    BSpline, OnKnots, Outside,
    op::{KanSum, Kind, Spacing},
    spline,
    tests::{Random, close},
};
use crate::{DType, Device, Graph, HostTensor, Site, Tensor, cpu::evaluate};

/// Runs outputs that need no feeds, on the CPU, as f64.
fn run(g: &Graph, outputs: &[&Tensor]) -> Vec<Vec<f64>> {
    let all = Device::cpu()
        .compile(g, outputs, &[])
        .unwrap()
        .run(<[(&str, HostTensor); 0]>::default())
        .unwrap()
        .wait()
        .unwrap();
    all.iter().map(HostTensor::to_f64).collect()
}

fn constant(g: &Graph, dtype: DType, values: &[f64], shape: &[usize]) -> Tensor {
    let wide = HostTensor::new(values, shape).unwrap();
    g.tensor(wide.cast(dtype)).unwrap()
}

#[test]
fn quadratics_on_uneven_knots_by_hand() {
    // Knots 0 0 0 1 3 4 4 4 of order 2: Bernstein-like at the ends. At 2, in [1, 3]:
    // linear parts (3 − 2)/(3 − 1) = 1/2 and 1/2; then with the knots 0 and 4 around,
    // (3 − 2)/(3 − 0)/2 = 1/6, (2 − 0)/3/2 + (4 − 2)/(4 − 1)/2 = 2/3, (2 − 1)/3/2 = 1/6.
    let t = [0.0, 0.0, 0.0, 1.0, 3.0, 4.0, 4.0, 4.0];
    let at = |x: f64, d: usize| spline::evaluate(&t, 2, Outside::Zero, x, d);
    close(&at(2.0, 0), &[0.0, 1.0 / 6.0, 2.0 / 3.0, 1.0 / 6.0, 0.0], 1e-15);
    close(&at(0.0, 0), &[1.0, 0.0, 0.0, 0.0, 0.0], 1e-15);
    // In [0, 1]: (1 − x)², then slopes −2 and 2 at 0.
    close(&at(0.5, 0)[..2], &[0.25, 0.5 * 0.5 + (3.0 - 0.5) / 3.0 * 0.5], 1e-15);
    close(&at(0.0, 1), &[-2.0, 2.0, 0.0, 0.0, 0.0], 1e-15);
    close(&at(0.5, 2)[..1], &[2.0], 1e-15);
    // The last interval is open at 4 under Zero, and closed where x is held there.
    assert!(at(4.0, 0).iter().all(|&b| b == 0.0));
    close(&spline::evaluate(&t, 2, Outside::Clamp, 4.0, 0), &[0.0, 0.0, 0.0, 0.0, 1.0], 1e-15);
    close(&spline::evaluate(&t, 2, Outside::Linear, 5.0, 0), &[0.0, 0.0, 0.0, -2.0, 3.0], 1e-15);
    close(&spline::evaluate(&t, 2, Outside::Linear, -1.0, 0), &[3.0, -2.0, 0.0, 0.0, 0.0], 1e-15);
    // Knots that fall, or are none, have no answer.
    assert!(spline::evaluate(&[0.0, 2.0, 1.0, 3.0], 0, Outside::Zero, 0.5, 0).iter().all(|b| b.is_nan()));
    assert!(spline::evaluate(&[0.0, f64::NAN, 1.0], 0, Outside::Zero, 0.5, 0).iter().all(|b| b.is_nan()));
}

#[test]
fn even_knots_given_as_data_are_the_even_basis() {
    let mut random = Random(5);
    for (grid, order, outputs) in
        [(5, 3, 17), (5, 3, 2), (50, 3, 16), (4, 0, 3), (3, 1, 5), (200, 2, 1), (2, 7, 9)]
    {
        for outside in [Outside::Zero, Outside::Clamp, Outside::Linear] {
            let (rows, inputs) = (70, 3);
            let basis = BSpline::new(grid, order).unwrap().range(-1.0, 1.5).unwrap().outside(outside);
            let g = Graph::new();
            let knots: Vec<f64> =
                (-(order as isize)..=(grid + order) as isize).map(|j| basis.knot(j)).collect();
            let dtype = DType::F64;
            let knots = constant(&g, dtype, &knots.repeat(inputs), &[inputs, knots.len()]);
            let on = OnKnots::new(&knots, order).unwrap().outside(outside);
            assert_eq!((on.count(), on.grid(), on.order()), (basis.count(), grid, order));
            let x = g.tensor(random.tensor(dtype, &[rows, inputs], 2.5)).unwrap();
            let c = g.tensor(random.tensor(dtype, &[outputs, inputs, grid + order], 1.0)).unwrap();
            let w = g.tensor(random.tensor(dtype, &[outputs, inputs], 1.0)).unwrap();
            let b = g.tensor(random.tensor(dtype, &[outputs], 1.0)).unwrap();
            let even = x.kan_layer(&c, Some(&w), Some(&b), basis).unwrap();
            let given = x.kan_layer_on_knots(&c, Some(&w), Some(&b), &on).unwrap();
            let sums = |y: &Tensor| y.square().unwrap().sum(&[0, 1], false).unwrap();
            let mut all = vec![even.clone(), given.clone()];
            for y in [&even, &given] {
                all.extend(sums(y).grad(&[&x, &c, &w]).unwrap());
            }
            let out = run(&g, &all.iter().collect::<Vec<_>>());
            close(&out[1], &out[0], 1e-9);
            for i in 0..3 {
                close(&out[5 + i], &out[2 + i], 1e-7);
            }
        }
    }
}

/// Knots with coinciding ones, other for each input.
fn uneven(random: &mut Random, inputs: usize, grid: usize, order: usize) -> Vec<f64> {
    let mut all = Vec::new();
    for i in 0..inputs {
        let mut at = -1.0 - f64::from(i as u32);
        for j in 0..grid + 2 * order + 1 {
            all.push(f64::from(at as f32));
            // Every seventh distance is 0, but the grid always has a cell.
            let distance = (random.next() + 1.1) / grid as f64;
            at += if (i + j) % 7 == 3 && j != order { 0.0 } else { distance };
        }
    }
    all
}

#[test]
fn the_fast_path_on_uneven_knots_is_the_reference() {
    let mut random = Random(9);
    for (rows, inputs, outputs) in
        [(3, 4, 5), (70, 3, 1), (130, 5, 2), (65, 3, 8), (33, 2, 16), (40, 7, 35), (1, 9, 64), (0, 2, 3)]
    {
        for (grid, order) in [(1, 0), (5, 3), (20, 3), (4, 1), (3, 5), (7, 2)] {
            for closed in [false, true] {
                for d in 0..=order.min(2) {
                    let g = Graph::new();
                    let basis = BSpline::new(grid, order).unwrap().into();
                    let all = uneven(&mut random, inputs, grid, order);
                    let knots = constant(&g, DType::F32, &all, &[inputs, grid + 2 * order + 1]);
                    let mut points = random.tensor(DType::F32, &[rows, inputs], 4.0).to_f64();
                    // Points on knots, at the outermost, at infinities and at NaN.
                    let wide = grid + 2 * order + 1;
                    let special =
                        [all[order], all[order + grid], all[wide - 1], f64::INFINITY, f64::NEG_INFINITY];
                    points.iter_mut().step_by(inputs.max(1) * 2).zip(special).for_each(|(p, s)| *p = s);
                    if closed {
                        // As a policy holds them.
                        for (p, x) in points.iter_mut().enumerate() {
                            let row = &all[p % inputs * wide..][..wide];
                            *x = x.clamp(row[order], row[order + grid]);
                        }
                    }
                    let x = constant(&g, DType::F32, &points, &[rows, inputs]);
                    let host = |random: &mut Random, shape: &[usize]| {
                        g.tensor(random.tensor(DType::F32, shape, 1.0)).unwrap()
                    };
                    let dy = host(&mut random, &[rows, outputs]);
                    let u = host(&mut random, &[rows, inputs]);
                    let c = host(&mut random, &[inputs, grid + order, outputs]);
                    let w = host(&mut random, &[inputs, outputs]);
                    let spacing = Spacing::Given { closed };
                    let site = Site::here();
                    let forward = KanSum {
                        kind: Kind::Forward,
                        basis,
                        derivative: d,
                        base: true,
                        scale: true,
                        spacing,
                    };
                    let mut outs = forward.apply(&[&x, &c, &w, &u, &knots], site).unwrap();
                    let input = KanSum { kind: Kind::Input, scale: false, ..forward };
                    outs.extend(input.apply(&[&x, &dy, &c, &w, &knots], site).unwrap());
                    let sums = KanSum { kind: Kind::Coefficients, ..forward };
                    outs.extend(sums.apply(&[&x, &dy, &u, &knots], site).unwrap());
                    let outs: Vec<&Tensor> = outs.iter().collect();
                    let feeds = std::collections::BTreeMap::new();
                    let want = evaluate(&g, &outs, &feeds).unwrap();
                    for (got, want) in run(&g, &outs).iter().zip(&want) {
                        let want = want.to_f64();
                        let size =
                            want.iter().filter(|w| w.is_finite()).fold(1.0, |a: f64, b| a.max(b.abs()));
                        for (n, (got, want)) in got.iter().zip(&want).enumerate() {
                            let near = (got - want).abs() <= 3e-6 * size
                                || got == want
                                || got.is_nan() && want.is_nan();
                            assert!(
                                near,
                                "[{rows}, {inputs}] to {outputs}, grid {grid}, order {order}, {d}, {closed}, {n}: {got}, not {want}"
                            );
                        }
                    }
                }
            }
        }
    }
}
