use crate::{DType, Device, Dim, Graph, HostTensor, Tensor, ops::testing::*};

#[test]
fn a_product_and_its_gradients() {
    let g = Graph::new();
    let (a, b) = (g.input("a", DType::F32, [2, 3]).unwrap(), g.input("b", DType::F32, [3, 2]).unwrap());
    let y = a.matmul(&b).unwrap();
    let loss =
        y.mul(g.tensor(host(&[1.0, 2.0, 3.0, 4.0], &[2, 2])).unwrap()).unwrap().sum(&[0, 1], false).unwrap();
    let d = loss.grad(&[&a, &b]).unwrap();
    let feeds = [
        ("a", host(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[2, 3])),
        ("b", host(&[1.0, 0.0, -1.0, 2.0, 0.5, 1.0], &[3, 2])),
    ];
    let got = both(&g, &[&y, &d[0], &d[1]], &feeds);
    assert_eq!(got[0], [0.5, 7.0, 2.0, 16.0]);
    // dA = G Bᵀ, dB = Aᵀ G
    assert_eq!(got[1], [1.0, 3.0, 2.5, 3.0, 5.0, 5.5]);
    assert_eq!(got[2], [13.0, 18.0, 17.0, 24.0, 21.0, 30.0]);
}

#[test]
fn transposed_and_broadcast_operands_are_views() {
    let g = Graph::new();
    let (a, b) = (g.input("a", DType::F32, [3, 2]).unwrap(), g.input("b", DType::F32, [2, 1, 2, 3]).unwrap());
    let y = a.transpose(0, 1).unwrap().matmul(&b.transpose(-1, -2).unwrap()).unwrap();
    assert_eq!(y.shape().to_string(), "[2, 1, 2, 2]");
    let feeds = [
        ("a", host(&[1.0, 4.0, 2.0, 5.0, 3.0, 6.0], &[3, 2])),
        ("b", host(&(0..12).map(f64::from).collect::<Vec<_>>(), &[2, 1, 2, 3])),
    ];
    let got = both(&g, &[&y], &feeds);
    assert_eq!(got[0], [8.0, 26.0, 17.0, 62.0, 44.0, 62.0, 107.0, 152.0]);
}

#[test]
fn a_broadcast_operand_gets_the_sum_over_the_batch() {
    let g = Graph::new();
    let (a, b) = (g.input("a", DType::F32, [2, 1, 2]).unwrap(), g.input("b", DType::F32, [2, 1]).unwrap());
    let y = a.matmul(&b).unwrap();
    let db = y.sum(&[0, 1, 2], false).unwrap().grad(&[&b]).unwrap().remove(0);
    let feeds = [("a", host(&[1.0, 2.0, 30.0, 40.0], &[2, 1, 2])), ("b", host(&[1.0, 1.0], &[2, 1]))];
    assert_eq!(both(&g, &[&y, &db], &feeds), [[3.0, 70.0], [31.0, 42.0]]);
}

#[test]
fn nothing_to_add_gives_zeros() {
    let g = Graph::new();
    let (a, b) = (g.input("a", DType::F32, [2, 0]).unwrap(), g.input("b", DType::F32, [0, 3]).unwrap());
    let y = a.matmul(&b).unwrap();
    assert_eq!(both(&g, &[&y], &[("a", host(&[], &[2, 0])), ("b", host(&[], &[0, 3]))])[0], [0.0; 6]);
}

#[test]
fn linear_is_one_product_over_the_flattened_rows() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [Dim::named("b"), 2.into(), 2.into()]).unwrap();
    let w = g.input("w", DType::F32, [3, 2]).unwrap();
    let b = g.input("b", DType::F32, [3]).unwrap();
    let y = x.linear(&w, Some(&b)).unwrap();
    let d = y.sum(&[0, 1, 2], false).unwrap().grad(&[&x, &w, &b]).unwrap();
    assert_eq!(y.shape().to_string(), "[b, 2, 3]");
    let feeds = [
        ("x", host(&[1.0, 2.0, 3.0, 4.0], &[1, 2, 2])),
        ("w", host(&[1.0, 0.0, 0.0, 1.0, 1.0, -1.0], &[3, 2])),
        ("b", host(&[0.5, 0.0, -0.5], &[3])),
    ];
    let got = both(&g, &[&y, &d[0], &d[1], &d[2]], &feeds);
    assert_eq!(got[0], [1.5, 2.0, -1.5, 3.5, 4.0, -1.5]);
    assert_eq!(got[1], [2.0, 0.0, 2.0, 0.0]);
    assert_eq!(got[2], [4.0, 6.0, 4.0, 6.0, 4.0, 6.0]);
    assert_eq!(got[3], [2.0, 2.0, 2.0]);
    // One dimension is one row.
    let v = g.input("v", DType::F32, [2]).unwrap();
    assert_eq!(v.linear(&w, None).unwrap().shape().to_string(), "[3]");
}

#[test]
fn errors_name_the_operation_and_the_sizes() {
    let g = Graph::new();
    let input = |name: &str, dtype, shape: &[usize]| g.input(name, dtype, shape).unwrap();
    let (v, m, n) =
        (input("v", DType::F32, &[3]), input("m", DType::F32, &[2, 3]), input("n", DType::F32, &[2, 4]));
    let (h, t) = (input("h", DType::F16, &[3, 2]), input("t", DType::F32, &[3, 3, 4]));
    let text = |r: crate::Result<Tensor>| r.unwrap_err().to_string();
    assert!(
        text(v.matmul(&m))
            .contains("`matmul` of (f32[3], f32[2, 3]): both operands need at least two dimensions")
    );
    assert!(text(m.matmul(&n)).contains("the inner dimensions differ: 3 of the left, 2 of the right"));
    assert!(text(m.matmul(&h)).contains("cast first"));
    assert!(
        text(input("s", DType::F32, &[2, 4, 3]).matmul(&t))
            .contains("the leading dimensions [2] and [3] do not broadcast")
    );
    assert!(
        text(m.linear(&n, None))
            .contains("`linear` of (f32[2, 3], f32[2, 4]): the last dimension of x is 3, the weight takes 4")
    );
    assert!(text(m.linear(&m, Some(&v))).contains("`linear`"));
    assert!(text(m.linear(&m, Some(&v))).contains("the bias has shape [3]; the weight gives [2]"));
}

#[test]
fn gradients_agree_with_central_differences() {
    let g = Graph::new();
    let (a, b) = (g.input("a", DType::F64, [2, 3, 4]).unwrap(), g.input("b", DType::F64, [2, 4]).unwrap());
    let y = a.matmul(&b.transpose(0, 1).unwrap()).unwrap().square().unwrap().sum(&[0, 1, 2], false).unwrap();
    check_gradients(
        &g,
        &y,
        &[(&a, "a"), (&b, "b")],
        &[("a", wave(&[2, 3, 4], 1.0)), ("b", wave(&[2, 4], 2.0))],
    );
}

#[test]
fn many_small_products_are_shared_out_whole() {
    let g = Graph::new();
    let (a, b) = (g.input("a", DType::F32, [50, 30, 40]), g.input("b", DType::F32, [2, 50, 40, 20]));
    let y = a.unwrap().matmul(&b.unwrap()).unwrap();
    let feeds = [
        ("a", wave(&[50, 30, 40], 1.0).cast(DType::F32)),
        ("b", wave(&[2, 50, 40, 20], 2.0).cast(DType::F32)),
    ];
    assert_eq!(both(&g, &[&y], &feeds)[0].len(), 2 * 50 * 30 * 20);
}

#[test]
fn the_order_of_a_sum_does_not_depend_on_the_threads() {
    let g = Graph::new();
    let (a, b) =
        (g.input("a", DType::F32, [150, 700]).unwrap(), g.input("b", DType::F32, [700, 90]).unwrap());
    let y = a.matmul(&b).unwrap();
    let feeds =
        [("a", wave(&[150, 700], 1.0).cast(DType::F32)), ("b", wave(&[700, 90], 2.0).cast(DType::F32))];
    let run = |threads| -> HostTensor {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let mut program = Device::cpu().compile(&g, &[&y], &[]).unwrap();
            program.run(feeds.iter().map(|(n, t)| (*n, t))).unwrap().wait().unwrap().remove(0)
        })
    };
    let one = run(1);
    assert_eq!(one, run(2));
    assert_eq!(one, run(7));
}

#[test]
fn products_in_f64_are_the_reference_through_any_strides() {
    for (m, k, n) in [(1, 1, 1), (20, 37, 1), (1, 20, 150), (5, 9, 7), (33, 70, 40), (3, 0, 2)] {
        let g = Graph::new();
        let a = g.input("a", DType::F64, [2, m, k]).unwrap();
        let b = g.input("b", DType::F64, [n, k]).unwrap();
        let c = a.matmul(&b.transpose(0, 1).unwrap()).unwrap();
        both(&g, &[&c], &[("a", wave(&[2, m, k], 0.1)), ("b", wave(&[n, k], 0.7))]);
    }
}
