use crate::{DType, Device, Dim, Graph, HostTensor, ops::testing::*};

#[test]
fn sums_means_and_maxima_with_their_gradients() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [2, 3]).unwrap();
    let (s, m, l) =
        (x.sum(&[0], false).unwrap(), x.mean(&[1], true).unwrap(), x.max(&[0, 1], false).unwrap());
    assert_eq!([&s, &m, &l].map(|t| t.shape().to_string()), ["[3]", "[2, 1]", "[]"]);
    let ds = s.square().unwrap().sum(&[0], false).unwrap().grad(&[&x]).unwrap().remove(0);
    let dm = m.square().unwrap().sum(&[0, 1], false).unwrap().grad(&[&x]).unwrap().remove(0);
    let dl = l.grad(&[&x]).unwrap().remove(0);
    let got =
        both(&g, &[&s, &m, &l, &ds, &dm, &dl], &[("x", host(&[1.0, 5.0, 3.0, 5.0, -2.0, 0.0], &[2, 3]))]);
    assert_eq!(got[..3], [vec![6.0, 3.0, 3.0], vec![3.0, 1.0], vec![5.0]]);
    assert_eq!(got[3], [12.0, 6.0, 6.0, 12.0, 6.0, 6.0]);
    let third = 2.0f32 / 3.0;
    assert_eq!(got[4], [2.0, 2.0, 2.0, third.into(), third.into(), third.into()]);
    // Ties share the gradient.
    assert_eq!(got[5], [0.0, 0.5, 0.0, 0.5, 0.0, 0.0]);
}

#[test]
fn over_nothing_a_sum_is_zero_and_a_mean_is_none() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [Dim::named("n"), 2.into()]).unwrap();
    let (s, m) = (x.sum(&[0], false).unwrap(), x.mean(&[0], false).unwrap());
    let all = x.mean(&[0, 1], false).unwrap();
    let got = both(&g, &[&s, &m, &all], &[("x", host(&[], &[0, 2]))]);
    assert_eq!(got[0], [0.0, 0.0]);
    assert!(got[1..].iter().flatten().all(|v| v.is_nan()));
}

#[test]
fn a_maximum_over_nothing_is_an_error_also_where_a_run_binds_the_size() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [Dim::named("n"), 2.into()]).unwrap();
    let mut program = Device::cpu().compile(&g, &[&x.max(&[0], false).unwrap()], &[]).unwrap();
    let text = program.run([("x", host(&[], &[0, 2]))]).unwrap_err().to_string();
    assert!(text.contains("dimension 0 has size 0: there is no largest element"), "{text}");
}

#[test]
fn a_maximum_keeps_what_is_no_number() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [2, 3]).unwrap();
    let (rows, columns) = (x.max(&[1], false).unwrap(), x.max(&[0], false).unwrap());
    let values = [1.0, f64::NAN, 2.0, f64::NEG_INFINITY, 0.0, -1.0];
    let got = both(&g, &[&rows, &columns], &[("x", host(&values, &[2, 3]))]);
    assert!(got[0][0].is_nan() && got[1][1].is_nan());
    assert_eq!((got[0][1], got[1][0], got[1][2]), (0.0, 1.0, 2.0));
}

#[test]
fn integers_are_exact_and_wrap_around() {
    let g = Graph::new();
    let (x, u) = (g.input("x", DType::I32, [2, 2]).unwrap(), g.input("u", DType::U32, [3]).unwrap());
    let outputs = [x.sum(&[0], false).unwrap(), x.sum(&[1], false).unwrap(), u.sum(&[0], false).unwrap()];
    let feeds = [
        ("x", HostTensor::new(&[i32::MAX, 16_777_217, 1, 2], [2, 2]).unwrap()),
        ("u", HostTensor::new(&[u32::MAX, 2, 3], [3]).unwrap()),
    ];
    let got = both(&g, &outputs.each_ref(), &feeds);
    let wrapped = i32::MAX.wrapping_add(16_777_217);
    assert_eq!(got, [vec![f64::from(i32::MIN), 16_777_219.0], vec![f64::from(wrapped), 3.0], vec![4.0]]);
}

#[test]
fn long_sums_stay_accurate() {
    // A plain f32 loop over a million times 0.1 is wrong in the third digit.
    let g = Graph::new();
    let (row, columns) =
        (g.input("r", DType::F32, [1_000_000]).unwrap(), g.input("c", DType::F32, [300_000, 3]).unwrap());
    let outputs = [row.sum(&[0], false).unwrap(), columns.sum(&[0], false).unwrap()];
    let tenth = f64::from(0.1f32);
    let feeds =
        [("r", host(&vec![0.1; 1_000_000], &[1_000_000])), ("c", host(&vec![0.1; 900_000], &[300_000, 3]))];
    let mut program = Device::cpu().compile(&g, &outputs.each_ref(), &[]).unwrap();
    let got = program.run(feeds).unwrap().wait().unwrap();
    for (got, n) in got.iter().zip([1e6, 3e5]) {
        got.to_f64()
            .iter()
            .for_each(|v| assert!((v / (n * tenth) - 1.0).abs() < 2e-6, "{v}, not {}", n * tenth));
    }
}

#[test]
fn types_and_dimensions_are_checked() {
    let g = Graph::new();
    let (b, n) = (g.input("b", DType::Bool, [2]).unwrap(), g.input("n", DType::I32, [2]).unwrap());
    assert!(
        b.sum(&[0], false)
            .unwrap_err()
            .to_string()
            .contains("`sum` of (bool[2]): it takes numbers, got bool")
    );
    assert!(
        n.mean(&[0], false).unwrap_err().to_string().contains("`mean` of (i32[2]): it takes floats, got i32")
    );
    assert!(n.max(&[1], false).unwrap_err().to_string().contains("dimension 1 lies outside the rank, 1"));
}

#[test]
fn gradients_agree_with_central_differences() {
    let g = Graph::new();
    let x = g.input("x", DType::F64, [2, 3, 2]).unwrap();
    let feeds = [("x", wave(&[2, 3, 2], 0.4))];
    for y in [x.sum(&[0, 2], false), x.mean(&[1], true), x.max(&[2], false)] {
        let y = y.unwrap().exp().unwrap();
        let all: Vec<isize> = (0..y.rank() as isize).collect();
        check_gradients(&g, &y.sum(&all, false).unwrap(), &[(&x, "x")], &feeds);
    }
}

#[test]
fn minima_share_the_gradient_of_ties_and_keep_what_is_no_number() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [2, 3]).unwrap();
    let y = x.min(&[1], false).unwrap();
    let dx = y.sum(&[0], false).unwrap().grad(&[&x]).unwrap().remove(0);
    let columns = x.min(&[0], true).unwrap();
    let got = both(&g, &[&y, &dx, &columns], &[("x", host(&[2.0, -1.0, -1.0, 4.0, 3.0, 5.0], &[2, 3]))]);
    assert_eq!(got[0], [-1.0, 3.0]);
    assert_eq!(got[1], [0.0, 0.5, 0.5, 0.0, 1.0, 0.0]);
    assert_eq!(got[2], [2.0, -1.0, -1.0]);
    let got = both(&g, &[&y, &columns], &[("x", host(&[2.0, f64::NAN, -1.0, 4.0, 3.0, 5.0], &[2, 3]))]);
    assert!(got[0][0].is_nan() && got[0][1] == 3.0 && got[1][1].is_nan());
    let none = g.input("none", DType::F32, [2, 0]).unwrap();
    let text = none.min(&[1], false).unwrap_err().to_string();
    assert!(text.contains("dimension 1 has size 0: there is no smallest element"), "{text}");
}

/// Sizes on both sides of every bound of the CPU's loops, in each order of the dimensions.
#[test]
fn every_order_of_the_dimensions_gives_the_same() {
    let shapes: [&[usize]; 8] = [
        &[3, 5, 7],
        &[300, 200],   // many rows, many columns
        &[2, 40_000],  // few long rows
        &[40_001, 2],  // many narrow ones
        &[5, 33_000],  // a few wide rows joined elementwise
        &[700, 90, 1], // blocks of rows
        &[40, 30, 50],
        &[9, 4, 11, 170],
    ];
    for shape in shapes {
        let n: usize = shape.iter().product();
        let values: Vec<f64> = (0..n).map(|i| 1.0 + 0.5 * (0.37 * i as f64).sin()).collect();
        let rank = shape.len();
        for turn in 0..rank {
            let g = Graph::new();
            let x = g.input("x", DType::F32, shape).unwrap();
            let mut order: Vec<usize> = (0..rank).collect();
            order.rotate_left(turn);
            let mut views = vec![x.permute(&order).unwrap()];
            order.reverse();
            views.push(x.permute(&order).unwrap());
            let mut outputs = Vec::new();
            for view in &views {
                for d in 0..rank as isize {
                    outputs.push(view.sum(&[d], false).unwrap());
                    outputs.push(view.max(&[d], true).unwrap());
                    let others: Vec<isize> = (0..rank as isize).filter(|&e| e != d).collect();
                    outputs.push(view.mean(&others, false).unwrap());
                    outputs.push(view.min(&others, false).unwrap());
                }
            }
            both(&g, &outputs.iter().collect::<Vec<_>>(), &[("x", host(&values, shape))]);
        }
    }
}

#[test]
fn sums_do_not_depend_on_the_number_of_threads() {
    use crate::plan::PlanOptions;
    let g = Graph::new();
    let (rows, tall) =
        (g.input("r", DType::F32, [3, 200_000]).unwrap(), g.input("t", DType::F32, [150_000, 4]).unwrap());
    let outputs =
        [rows.sum(&[1], false).unwrap(), rows.sum(&[0], false).unwrap(), tall.sum(&[0], false).unwrap()];
    let wave = |shape: &[usize]| wave(shape, 0.1).cast(DType::F32);
    let feeds = [("r", wave(&[3, 200_000])), ("t", wave(&[150_000, 4]))];
    let run = |serial: bool| {
        let options = PlanOptions { serial, ..PlanOptions::default() };
        let mut program = Device::cpu().compile(&g, &outputs.each_ref(), &[]).unwrap().with_options(options);
        program.run(feeds.iter().map(|(n, t)| (*n, t))).unwrap().wait().unwrap()
    };
    for (a, b) in run(true).iter().zip(&run(false)) {
        assert_eq!(a.device_bytes(), b.device_bytes());
    }
}

#[test]
fn sums_and_means_in_f64_are_the_reference() {
    for shape in [[1, 1, 1], [3, 5, 29], [2, 130, 9], [4, 0, 3]] {
        let g = Graph::new();
        let x = g.input("x", DType::F64, shape).unwrap();
        let mut outputs = Vec::new();
        for dims in [&[2][..], &[1, 2], &[0], &[1], &[0, 2], &[0, 1, 2]] {
            outputs.push(x.sum(dims, false).unwrap());
            outputs.push(x.mean(dims, true).unwrap());
        }
        both(&g, &outputs.iter().collect::<Vec<_>>(), &[("x", wave(&shape, 0.3))]);
    }
}
