use crate::{
    DType, Graph, HostTensor,
    ops::testing::*,
    plan::{Capabilities, CooperativeMatrix, PlanOptions},
};

fn halves(values: &[f64], shape: &[usize]) -> HostTensor {
    HostTensor::from_f64(DType::F16, values, shape)
}

#[test]
fn a_product_of_halves_and_its_gradients() {
    let g = Graph::new();
    let (a, b) = (g.input("a", DType::F16, [2, 3]).unwrap(), g.input("b", DType::F16, [3, 2]).unwrap());
    let (y, wide) = (a.matmul(&b).unwrap(), a.matmul_wide(&b).unwrap());
    assert_eq!((y.dtype(), wide.dtype()), (DType::F16, DType::F32));
    let weights = g.tensor(halves(&[1.0, 2.0, 3.0, 4.0], &[2, 2])).unwrap();
    let loss = y.mul(&weights).unwrap().cast(DType::F32).unwrap().sum(&[0, 1], false).unwrap();
    let d = loss.grad(&[&a, &b]).unwrap();
    assert_eq!((d[0].dtype(), d[1].dtype()), (DType::F16, DType::F16));
    let feeds = [
        ("a", halves(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[2, 3])),
        ("b", halves(&[1.0, 0.0, -1.0, 2.0, 0.5, 1.0], &[3, 2])),
    ];
    let got = both(&g, &[&y, &wide, &d[0], &d[1]], &feeds);
    assert_eq!(got[0], [0.5, 7.0, 2.0, 16.0]);
    assert_eq!(got[1], got[0]);
    // dA = G Bᵀ, dB = Aᵀ G
    assert_eq!(got[2], [1.0, 3.0, 2.5, 3.0, 5.0, 5.5]);
    assert_eq!(got[3], [13.0, 18.0, 17.0, 24.0, 21.0, 30.0]);
}

#[test]
fn sums_are_not_rounded_to_halves_on_the_way() {
    let g = Graph::new();
    let a = g.input("a", DType::F16, [1, 5000]).unwrap();
    let y = a.matmul_wide(&a.transpose(0, 1).unwrap()).unwrap();
    let got = both(&g, &[&y], &[("a", halves(&[1.0; 5000], &[1, 5000]))]);
    assert_eq!(got[0], [5000.0]); // in f16 it would stop at 2048
}

/// The chosen variants of a product of that size on a device with 16-bit floats and such matrices.
fn chosen(size: usize, matrices: &[u32]) -> String {
    let g = Graph::new();
    let a = g.input("a", DType::F16, [size, size]).unwrap();
    let matrix = |&size: &u32| CooperativeMatrix { size, operands: DType::F16, sums: DType::F32 };
    let device = Capabilities {
        f16: true,
        subgroup_size: Some((32, 32)),
        cooperative: matrices.iter().map(matrix).collect(),
        max_workgroup_bytes: 32 << 10,
        ..Capabilities::portable()
    };
    let y = a.matmul_wide(&a).unwrap();
    let plan = g.plan(&[&y], &[], &[].into(), &device, PlanOptions::default()).unwrap();
    plan.steps.iter().map(|s| s.variant).collect::<Vec<_>>().join(" ")
}

#[test]
fn matrices_are_taken_where_the_device_has_them_and_the_product_fills_them() {
    assert_eq!(chosen(2048, &[8, 16]), "cooperative16_block4");
    assert_eq!(chosen(2048, &[8]), "cooperative8_block4");
    assert_eq!(chosen(256, &[16]), "cooperative16_block2");
    assert!(chosen(2048, &[]).starts_with("tile"));
    assert!(chosen(4, &[8, 16]).starts_with("tile"));
}

#[test]
fn other_types_are_not_mixed_with_halves() {
    let g = Graph::new();
    let (a, b) = (g.input("a", DType::F16, [2, 2]).unwrap(), g.input("b", DType::F32, [2, 2]).unwrap());
    for refused in [a.matmul(&b), a.matmul_wide(&b), b.matmul(&a)] {
        let text = refused.unwrap_err().to_string();
        assert!(text.contains("cast first") && text.contains("f16"), "{text}");
    }
}
