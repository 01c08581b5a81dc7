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
    // Values for which no sum cancels at the points far away, where silu is x itself.
    let mut random = Random(10);
    for (rows, inputs, outputs) in [
        (3, 4, 5),
        (70, 3, 1),
        (130, 5, 2),
        (65, 3, 8),
        (33, 2, 16),
        (40, 7, 35),
        (1, 9, 64),
        (0, 2, 3),
        (200, 2, 33),
    ] {
        for (grid, order) in [(1, 0), (5, 3), (20, 3), (4, 1), (3, 5), (7, 2), (100, 3)] {
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
                    let host = |random: &mut Random, shape: &[usize]| {
                        g.tensor(random.tensor(DType::F32, shape, 1.0)).unwrap()
                    };
                    let dy = host(&mut random, &[rows, outputs]);
                    let finite = host(&mut random, &[rows, inputs]);
                    let mut u = random.tensor(DType::F32, &[rows, inputs], 1.0).to_f64();
                    if let ([.., far], [.., scale]) = (&mut points[..], &mut u[..])
                        && !closed
                        && outputs % 3 == 2
                    {
                        // Beyond all knots, 0 times what is no number is none.
                        (*far, *scale) = (1e9, f64::NAN);
                    }
                    let u = constant(&g, DType::F32, &u, &[rows, inputs]);
                    let x = constant(&g, DType::F32, &points, &[rows, inputs]);
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
                    outs.extend(sums.apply(&[&x, &dy, &finite, &knots], site).unwrap());
                    let outs: Vec<&Tensor> = outs.iter().collect();
                    let feeds = std::collections::BTreeMap::new();
                    let want = evaluate(&g, &outs, &feeds).unwrap();
                    for (which, (got, want)) in run(&g, &outs).iter().zip(&want).enumerate() {
                        let want = want.to_f64();
                        let size =
                            want.iter().filter(|w| w.is_finite()).fold(1.0, |a: f64, b| a.max(b.abs()));
                        for (n, (got, want)) in got.iter().zip(&want).enumerate() {
                            let near = (got - want).abs() <= 3e-6 * size
                                || got == want
                                || got.is_nan() && want.is_nan();
                            assert!(
                                near,
                                "output {which} of [{rows}, {inputs}] to {outputs}, grid {grid}, order {order}, {d}, {closed}, {n}: {got}, not {want}"
                            );
                        }
                    }
                }
            }
        }
    }
}

/// The sum of a layer's edges at points x of one input, coefficients 1 … n, over an even basis or over the same knots as data.
fn edge(points: &[f64], basis: BSpline, given: bool, dtype: DType, base: bool) -> [Vec<f64>; 2] {
    let g = Graph::new();
    let n = basis.count();
    let x = constant(&g, dtype, points, &[points.len(), 1]);
    let c: Vec<f64> = (1..=n).map(|m| m as f64).collect();
    let c = constant(&g, dtype, &c, &[1, 1, n]);
    let w = constant(&g, dtype, &[1.0], &[1, 1]);
    let w = base.then_some(&w);
    let k = basis.order() as isize;
    let t: Vec<f64> = (-k..=basis.grid() as isize + k).map(|j| basis.knot(j)).collect();
    let y = if given {
        let t = constant(&g, dtype, &t, &[1, t.len()]);
        let on = OnKnots::new(&t, basis.order()).unwrap().outside(basis.policy());
        x.kan_layer_on_knots(&c, w, None, &on).unwrap()
    } else {
        x.kan_layer(&c, w, None, basis).unwrap()
    };
    let slope = y.sum(&[0, 1], false).unwrap().grad(&[&x]).unwrap();
    let mut out = run(&g, &[&y, &slope[0]]).into_iter();
    [out.next().unwrap(), out.next().unwrap()]
}

#[test]
fn policies_hold_what_they_say() {
    // Two cells, hats of height 1 at −1, 0 and 1: the edge goes 1, 2, 3 there.
    let hats = BSpline::new(2, 1).unwrap();
    let far = [-3.0, -1.5, -1.0, 0.5, 1.0, 1.5, 3.0];
    for given in [false, true] {
        for dtype in [DType::F32, DType::F64] {
            let at = |outside| edge(&far, hats.outside(outside), given, dtype, false);
            let [y, slope] = at(Outside::Zero);
            close(&y, &[0.0, 0.5, 1.0, 2.5, 3.0, 1.5, 0.0], 1e-6);
            close(&slope, &[0.0, 1.0, 1.0, 1.0, -3.0, -3.0, 0.0], 1e-6);
            let [y, slope] = at(Outside::Clamp);
            close(&y, &[1.0, 1.0, 1.0, 2.5, 3.0, 3.0, 3.0], 1e-6);
            close(&slope, &[0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0], 1e-6);
            let [y, slope] = at(Outside::Linear);
            close(&y, &[-1.0, 0.5, 1.0, 2.5, 3.0, 3.5, 5.0], 1e-6);
            close(&slope, &[1.0; 7], 1e-6);
        }
        // A base sees x itself.
        let [y, _] = edge(&[3.0], hats.outside(Outside::Clamp), given, DType::F64, true);
        close(&y, &[3.0 + 3.0 / (1.0 + (-3.0f64).exp())], 1e-12);
    }
}

#[test]
fn policies_are_those_of_the_functions_by_themselves() {
    for (grid, order, lo, hi) in
        [(5, 3, -1.0, 1.0), (4, 1, -1.0, 0.0), (3, 0, 0.1, 0.7), (6, 2, 0.0, 3.0), (2, 4, -5.0, -2.0)]
    {
        for outside in [Outside::Zero, Outside::Clamp, Outside::Linear] {
            let basis = BSpline::new(grid, order).unwrap().range(lo, hi).unwrap().outside(outside);
            let points: Vec<f64> = (0..64)
                .map(|p| f64::from((lo - 2.0 + (hi - lo + 4.0) * f64::from(p) / 63.0) as f32))
                .chain([lo, hi])
                .collect();
            let g = Graph::new();
            let x = constant(&g, DType::F32, &points, &[points.len()]);
            let got = run(&g, &[&x.basis(basis).unwrap()]);
            let n = basis.count();
            for (p, got) in points.iter().zip(got[0].chunks_exact(n)) {
                // The ends as f32 has them: a function may step there.
                let x = f64::from(*p as f32);
                if order == 0 && [lo, hi].contains(p) {
                    continue;
                }
                close(got, &basis.evaluate(x, 0), 4e-6);
            }
        }
    }
}

#[test]
fn what_is_no_number_and_what_is_far_has_its_answer() {
    let cubic = BSpline::new(5, 3).unwrap();
    let far = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e30, -1e30, 0.0];
    for given in [false, true] {
        let [zero, slope] = edge(&far, cubic, given, DType::F32, false);
        assert!(zero[0].is_nan() && slope[0].is_nan());
        assert!(zero[1..5].iter().chain(&slope[1..5]).all(|&v| v == 0.0), "{zero:?} {slope:?}");
        let [held, slope] = edge(&far, cubic.outside(Outside::Clamp), given, DType::F32, false);
        assert!(held[0].is_nan() && slope[0].is_nan());
        // Coefficients rise evenly: so does the edge, from 2 to 7.
        close(&held[1..], &[7.0, 2.0, 7.0, 2.0, 4.5], 1e-5);
        assert!(slope[1..5].iter().all(|&v| v == 0.0));
        let [line, slope] = edge(&far, cubic.outside(Outside::Linear), given, DType::F32, false);
        assert!(line[0].is_nan() && !line[1].is_finite() && !line[2].is_finite(), "{line:?}");
        assert!((line[3] / 2.5e30 - 1.0).abs() < 1e-4 && (line[4] / -2.5e30 - 1.0).abs() < 1e-4, "{line:?}");
        close(&slope[3..], &[2.5; 3], 1e-4);
    }
}

#[test]
fn knots_that_only_the_device_sees_are_not_trusted() {
    let g = Graph::new();
    let t = g.input("t", DType::F32, [2, 6]).unwrap();
    let x = constant(&g, DType::F32, &[0.5, 0.5, 2.5, 2.5], &[2, 2]);
    let c = constant(&g, DType::F32, &[1.0; 8], &[1, 2, 4]);
    let y = x.kan_layer_on_knots(&c, None, None, &OnKnots::new(&t, 1).unwrap()).unwrap();
    let mut program = Device::cpu().compile(&g, &[&y], &[]).unwrap();
    let mut with = |row: [f32; 6]| {
        let rows: Vec<f32> = [-1.0, 0.0, 1.0, 2.0, 3.0, 4.0].into_iter().chain(row).collect();
        let out = program.run([("t", HostTensor::new(&rows, [2, 6]).unwrap())]).unwrap().wait().unwrap();
        out[0].to_f64()
    };
    close(&with([-1.0, 0.0, 1.0, 2.0, 3.0, 4.0]), &[2.0, 2.0], 1e-6);
    assert!(with([f32::NAN; 6]).iter().all(|y| y.is_nan()));
    // Whatever comes, it comes without a fault.
    with([4.0, 3.0, 2.0, 1.0, 0.0, -1.0]);
    with([0.0, f32::INFINITY, 1.0, f32::NEG_INFINITY, f32::NAN, 0.0]);
    with([0.5; 6]);
}

#[test]
fn knots_that_cannot_be_are_refused_where_they_are_known() {
    let g = Graph::new();
    let refused = |values: &[f32], shape: [usize; 2], order: usize, words: &str| {
        let t = g.tensor(HostTensor::new(values, shape).unwrap()).unwrap();
        let text = OnKnots::new(&t, order).unwrap_err().to_string();
        assert!(
            text.contains(words) && text.contains("OnKnots") && text.contains("knots_tests.rs"),
            "{text}"
        );
    };
    refused(&[0.0, 1.0, 0.5, 2.0], [1, 4], 1, "knot 2 of input 0 is 0.5");
    refused(
        &[0.0, 1.0, 2.0, 3.0, 0.0, 1.0, f32::NAN, 2.0],
        [2, 4],
        1,
        "knot 2 of input 1 is NaN; it must be finite",
    );
    refused(&[0.0, 1.0, 2.0, f32::INFINITY], [1, 4], 0, "finite");
    refused(&[0.0, 1.0, 1.0, 3.0], [1, 4], 1, "the grid of input 0 is empty");
    refused(&[0.0, 1.0, 2.0], [1, 3], 1, "dimension 1 of knots is 3");
    refused(&[0.0, 1.0, 2.0], [1, 3], 17, "order is 17; it must be at most 16");
    let whole = g.tensor(HostTensor::new(&[1i32, 2, 3, 4], [1, 4]).unwrap()).unwrap();
    assert!(OnKnots::new(&whole, 1).unwrap_err().to_string().contains("floats"));
    let flat = g.tensor(HostTensor::new(&[1.0f32, 2.0], [2]).unwrap()).unwrap();
    assert!(OnKnots::new(&flat, 0).unwrap_err().to_string().contains("[I, G + 2k + 1]"));

    let layer = |t: &Tensor, inputs: usize, n: usize, dtype: DType| {
        let x = constant(&g, dtype, &vec![0.0; inputs], &[1, inputs]);
        let c = constant(&g, dtype, &vec![0.0; inputs * n], &[1, inputs, n]);
        x.kan_layer_on_knots(&c, None, None, &OnKnots::new(t, 1).unwrap()).unwrap_err().to_string()
    };
    let t = g.tensor(HostTensor::new(&[0.0f32, 1.0, 2.0, 3.0, 4.0], [1, 5]).unwrap()).unwrap();
    let text = layer(&t, 2, 3, DType::F32);
    assert!(
        text.contains("dimension 0 of knots is 1, the last of x is 2") && text.contains("knots_tests.rs"),
        "{text}"
    );
    assert!(layer(&t, 1, 4, DType::F32).contains("(order 1 on knots of 2 intervals) has 3 functions"));
    assert!(layer(&t, 1, 3, DType::F64).contains("floats of one type"));
    let other = Graph::new();
    let far = other.tensor(HostTensor::new(&[0.0f32, 1.0, 2.0, 3.0, 4.0], [1, 5]).unwrap()).unwrap();
    assert!(layer(&far, 1, 3, DType::F32).contains("another graph"));
}

#[test]
fn the_fraction_out_of_range_counts_what_it_says() {
    let g = Graph::new();
    let values = [f64::NAN, 0.0, 1.0, 0.5, -1.0, 7.0, f64::INFINITY, 2.0];
    let x = constant(&g, DType::F32, &values, &[4, 2]);
    let t = constant(&g, DType::F32, &[-2.0, -1.0, 1.0, 3.0, -1.0, 0.0, 2.0, 3.0], &[2, 4]);
    let (low, high) = OnKnots::new(&t, 1).unwrap().ends().unwrap();
    let even = x.out_of_range(-1.0, 1.0).unwrap();
    let given = x.out_of_range(&low, &high).unwrap();
    let out = run(&g, &[&even, &given]);
    assert_eq!(out[0], [0.5, 0.5]);
    assert_eq!(out[1], [0.5, 0.25]);
    let whole = g.tensor(HostTensor::new(&[1i32], [1]).unwrap()).unwrap();
    assert!(whole.out_of_range(0.0, 1.0).unwrap_err().to_string().contains("knots_tests.rs"));
}
