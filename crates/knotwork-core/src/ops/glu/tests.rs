use super::GluActivation;
use crate::{
    DType, Graph,
    ops::testing::*,
    plan::{Capabilities, PlanOptions},
};

#[test]
fn each_activation_gates() {
    let g = Graph::new();
    let (a, b) = (g.input("a", DType::F32, [2]).unwrap(), g.input("b", DType::F32, [2]).unwrap());
    let outputs: Vec<_> = GluActivation::ALL.iter().map(|&act| a.glu(&b, act).unwrap()).collect();
    let feeds = [("a", host(&[0.5, -1.5], &[2])), ("b", host(&[2.0, -4.0], &[2]))];
    let got = both(&g, &outputs.iter().collect::<Vec<_>>(), &feeds);
    let want = [
        [0.5, -1.5],
        [0.622_459_331, 0.182_425_524],
        [0.5, 0.0],
        [0.345_731_230_637, -0.100_210_801_903],
        [0.311_229_665_601, -0.273_638_285_71],
        [0.462_117_157, -0.905_148_254],
    ];
    for (got, want) in got.iter().zip(want) {
        assert!((got[0] - 2.0 * want[0]).abs() < 1e-6 && (got[1] + 4.0 * want[1]).abs() < 1e-6, "{got:?}");
    }
}

#[test]
fn it_is_one_dispatch() {
    for act in GluActivation::ALL {
        let g = Graph::new();
        let (a, b) = (g.input("a", DType::F32, [7, 3]).unwrap(), g.input("b", DType::F32, [7, 3]).unwrap());
        let y = a.glu(&b, act).unwrap();
        let plan = g.plan(&[&y], &[], &[].into(), &Capabilities::portable(), PlanOptions::default()).unwrap();
        assert_eq!(plan.dispatches.len(), 1, "{act:?}");
    }
}

#[test]
fn what_does_not_fit_is_said() {
    let g = Graph::new();
    let a = g.input("a", DType::F32, [2, 3]).unwrap();
    let say = |name: &str, dtype, shape: &[usize]| {
        let b = g.input(name, dtype, shape).unwrap();
        a.glu(&b, GluActivation::Silu).unwrap_err().to_string()
    };
    assert!(
        say("b", DType::F32, &[3])
            .contains("`glu` of (f32[2, 3], f32[3]): the gate and the value must have one shape")
    );
    assert!(say("c", DType::F16, &[2, 3]).contains("floats of one type"));
}
