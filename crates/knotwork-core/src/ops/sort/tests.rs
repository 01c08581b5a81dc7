use crate::{
    DType, Dim, Error, Graph, HostTensor, Tensor,
    ops::testing::*,
    plan::{Capabilities, PlanOptions},
};

/// Values and indices of a row of f32, after a check against the oracle.
fn of(x: &[f32], make: impl Fn(&Tensor) -> crate::Result<(Tensor, Tensor)>) -> (Vec<f32>, Vec<f64>) {
    let g = Graph::new();
    let t = g.input("x", DType::F32, [x.len()]).unwrap();
    let (values, indices) = make(&t).unwrap();
    assert_eq!(indices.dtype(), DType::I32);
    let got = both(&g, &[&values, &indices], &[("x", HostTensor::new(x, [x.len()]).unwrap())]);
    let [values, indices] = <[Vec<f64>; 2]>::try_from(got).unwrap();
    (values.into_iter().map(|v| v as f32).collect(), indices)
}

const INF: f32 = f32::INFINITY;
const NAN: f32 = f32::NAN;

#[test]
fn special_values_have_their_places() {
    let x = [0.0, NAN, -0.0, INF, -1.0, -NAN, -INF, 1e-40, -1e-40, 0.0];
    let (values, indices) = of(&x, |t| t.sort(0, false));
    assert_eq!(indices, [6.0, 4.0, 8.0, 0.0, 2.0, 9.0, 7.0, 3.0, 1.0, 5.0]);
    assert_eq!(values[..4], [-INF, -1.0, -1e-40, 0.0]);
    assert_eq!(values[4].to_bits(), (-0.0f32).to_bits());
    let (_, indices) = of(&x, |t| t.sort(0, true));
    assert_eq!(indices, [1.0, 5.0, 3.0, 7.0, 0.0, 2.0, 9.0, 8.0, 4.0, 6.0]);
    assert_eq!(of(&x, |t| t.topk(3, 0, true)).1, [1.0, 5.0, 3.0]);
    assert_eq!(of(&x, |t| t.topk(5, -1, false)).1, [6.0, 4.0, 8.0, 0.0, 2.0]);
    assert_eq!(of(&[NAN; 3], |t| t.sort(0, false)).1, [0.0, 1.0, 2.0]);
}

#[test]
fn equal_values_keep_their_order_in_both_directions() {
    let x = [2.0, 1.0, 2.0, 1.0, 2.0];
    assert_eq!(of(&x, |t| t.sort(0, false)).1, [1.0, 3.0, 0.0, 2.0, 4.0]);
    assert_eq!(of(&x, |t| t.sort(0, true)).1, [0.0, 2.0, 4.0, 1.0, 3.0]);
    assert_eq!(of(&x, |t| t.topk(4, 0, true)), (vec![2.0, 2.0, 2.0, 1.0], vec![0.0, 2.0, 4.0, 1.0]));
}

/// Rows of numbers, many of them equal, with NaN, infinities and zeros of both signs among them.
fn mixed(n: usize, seed: u32) -> Vec<f32> {
    let mut state = seed;
    (0..n)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            match state >> 24 {
                0..=3 => [NAN, INF, -INF, -0.0][(state >> 20 & 3) as usize],
                4..=99 => (state >> 16 & 7) as f32 - 3.0,
                _ => f32::from_bits(state.rotate_left(9)),
            }
        })
        .collect()
}

#[test]
fn rows_of_any_length_are_those_of_the_definition() {
    for (seed, n) in [1, 2, 7, 8, 9, 16, 17, 63, 257, 1023, 1024, 5000, 70_001].into_iter().enumerate() {
        for row in
            [mixed(n, seed as u32), (0..n).map(|k| k as f32).collect(), (0..n).map(|k| -(k as f32)).collect()]
        {
            for descending in [false, true] {
                of(&row, |t| t.sort(0, descending));
                for k in [1, n / 100, n / 9, n / 8, n / 2, n] {
                    of(&row, |t| t.topk(k, 0, descending));
                }
            }
        }
    }
    // Many rows, shared by threads.
    let g = Graph::new();
    let x = g.input("x", DType::F32, [300, 129]).unwrap();
    let ((a, b), (c, d)) = (x.sort(1, false).unwrap(), x.topk(7, 0, true).unwrap());
    both(&g, &[&a, &b, &c, &d], &[("x", HostTensor::from_vec(mixed(300 * 129, 9), [300, 129]).unwrap())]);
    for n in [3, 8, 11, 16] {
        let g = Graph::new();
        let x = g.input("x", DType::F32, [5000, n]).unwrap();
        let ((a, b), (c, d)) = (x.sort(1, true).unwrap(), x.topk(2, 1, false).unwrap());
        let row = mixed(5000 * n, n as u32);
        both(&g, &[&a, &b, &c, &d], &[("x", HostTensor::from_vec(row, [5000, n]).unwrap())]);
    }
}

#[test]
fn every_number_type_is_sorted_along_every_dimension() {
    let numbers = [3.0, 1.0, 2.0, 0.0, 5.0, 4.0, 3.0, 3.0];
    for dtype in [DType::F32, DType::F16, DType::F64, DType::I32, DType::U32] {
        let g = Graph::new();
        let x = g.input("x", dtype, [2, 2, 2]).unwrap();
        let all: Vec<Tensor> = (0..3)
            .flat_map(|dim| {
                let (values, indices) = x.sort(dim, true).unwrap();
                assert_eq!((values.dtype(), values.shape()), (dtype, x.shape()));
                [values, indices]
            })
            .collect();
        let feeds = [("x", HostTensor::from_f64(dtype, &numbers, &[2, 2, 2]))];
        let got = both(&g, &all.iter().collect::<Vec<_>>(), &feeds);
        assert_eq!(got[0], [5.0, 4.0, 3.0, 3.0, 3.0, 1.0, 2.0, 0.0]);
        assert_eq!(got[1], [1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
        assert_eq!(got[2], [3.0, 1.0, 2.0, 0.0, 5.0, 4.0, 3.0, 3.0]);
        assert_eq!(got[3], [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0, 1.0]);
        assert_eq!(got[4], [3.0, 1.0, 2.0, 0.0, 5.0, 4.0, 3.0, 3.0]);
        assert_eq!(got[5], [0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0]);
    }
}

#[test]
fn gradients_go_back_to_where_values_were() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [2, 3]).unwrap();
    let (values, indices) = x.topk(2, 1, true).unwrap();
    let weights = g.tensor(host(&[1.0, 10.0, 2.0, 20.0], &[2, 2])).unwrap();
    let y = values.square().unwrap().mul(&weights).unwrap().sum(&[0, 1], false).unwrap();
    let dx = y.grad(&[&x]).unwrap().remove(0);
    let ddx = dx.sum(&[0, 1], false).unwrap().grad(&[&x]).unwrap().remove(0);
    let feeds = [("x", host(&[1.0, 3.0, 2.0, 6.0, 4.0, 5.0], &[2, 3]))];
    let got = both(&g, &[&dx, &ddx, &indices], &feeds);
    assert_eq!(got[0], [0.0, 6.0, 40.0, 24.0, 0.0, 200.0]);
    assert_eq!(got[1], [0.0, 2.0, 20.0, 4.0, 0.0, 40.0]);
    assert_eq!(got[2], [1.0, 2.0, 0.0, 2.0]);
}

#[test]
fn gradients_are_those_of_differences() {
    let g = Graph::new();
    let x = g.input("x", DType::F64, [3, 5]).unwrap();
    let (sorted, _) = x.sort(0, true).unwrap();
    let (top, _) = x.topk(3, 1, false).unwrap();
    let weights = g.tensor(wave(&[3, 5], 0.3)).unwrap();
    let y = sorted.tanh().unwrap().mul(&weights).unwrap().sum(&[0, 1], false).unwrap();
    let y = y.add(top.exp().unwrap().sum(&[0, 1], false).unwrap()).unwrap();
    check_gradients(&g, &y, &[(&x, "x")], &[("x", wave(&[3, 5], 1.1))]);
}

#[test]
fn what_cannot_be_sorted_is_said() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [2, 3]).unwrap();
    let text = x.topk(3, 0, true).unwrap_err().to_string();
    assert!(
        text.contains("`topk` of (f32[2, 3]): k is 3; dimension 0 has 2 elements, so it may be 0 to 2")
            && text.contains("sort/tests.rs"),
        "{text}"
    );
    let text = x.sort(2, true).unwrap_err().to_string();
    assert!(text.contains("`sort` of (f32[2, 3]): dimension 2 lies outside the rank, 2"), "{text}");
    let text = x.argsort(-3, true).unwrap_err().to_string();
    assert!(text.contains("`argsort` of (f32[2, 3])"), "{text}");
    let truth = x.gt(0.0).unwrap().sort(0, true).unwrap_err().to_string();
    assert!(truth.contains("it orders numbers, not bool"), "{truth}");
    // A named dimension is as long as the run says.
    let g = Graph::new();
    let x = g.input("x", DType::F32, [Dim::named("n")]).unwrap();
    let (values, _) = x.topk(4, 0, true).unwrap();
    let mut program = crate::Device::cpu().compile(&g, &[&values], &[]).unwrap();
    let six = HostTensor::new(&[1.0f32, 6.0, 3.0, 2.0, 5.0, 4.0], [6]).unwrap();
    assert_eq!(program.run([("x", six)]).unwrap().wait().unwrap()[0].to_f64(), [6.0, 5.0, 4.0, 3.0]);
    let three = HostTensor::new(&[1.0f32, 6.0, 3.0], [3]).unwrap();
    let text = program.run([("x", three)]).and_then(|run| run.wait()).unwrap_err().to_string();
    assert!(
        text.contains("k is 4; the dimension has 3 elements") && text.contains("sort/tests.rs"),
        "{text}"
    );
}

#[test]
fn rows_that_a_device_cannot_bind_are_refused_at_planning() {
    let g = Graph::new();
    let (values, _) = g.input("x", DType::F32, [3, 5000]).unwrap().sort(1, false).unwrap();
    let plan = |bytes: usize| {
        let capabilities = Capabilities { max_binding_bytes: bytes, ..Capabilities::portable() };
        g.plan(&[&values], &[], &[].into(), &capabilities, PlanOptions::default())
    };
    assert!(plan(60_000).is_ok());
    let error = plan(59_996).unwrap_err();
    let Error::Limit { node, need, limit, .. } = &error else { panic!("{error}") };
    assert!(node == "sort" && need.contains("60000 bytes") && limit.contains("59996"), "{error}");
    assert!(error.to_string().contains("sort/tests.rs"), "{error}");
}

#[test]
fn the_ways_are_offered_best_first() {
    let first = |shape: [usize; 2], k: Option<usize>| {
        let g = Graph::new();
        let x = g.input("x", DType::F32, shape).unwrap();
        let (values, _) = k.map_or_else(|| x.sort(1, false), |k| x.topk(k, 1, true)).unwrap();
        let capabilities = Capabilities::portable();
        let plan = g.plan(&[&values], &[], &[].into(), &capabilities, PlanOptions::default()).unwrap();
        let kernels = plan.dispatches.iter().map(|d| d.kernel.name.clone()).collect::<Vec<_>>();
        (plan.steps[0].variant, kernels)
    };
    assert_eq!(first([9, 16], None).0, "rank");
    assert_eq!(first([9, 17], Some(3)).0, "row_in_a_group");
    assert_eq!(first([9, 2048], None).1, ["sort_rows"]);
    // Five tiles: merged to three runs, two, and one.
    assert_eq!(first([2, 9000], None).1, ["sort_parts", "sort_merge", "sort_merge", "sort_merge_last"]);
    assert_eq!(first([2, 9000], Some(512)).1, ["sort_parts", "sort_parts_again", "sort_rows_again"]);
    assert_eq!(first([2, 9000], Some(8)).1, ["sort_parts", "sort_rows_again"]);
    assert_eq!(first([2, 9000], Some(513)).0, "merged");
}
