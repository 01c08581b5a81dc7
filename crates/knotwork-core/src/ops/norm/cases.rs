//! The registry's entries of normalisations, and what the harness tests of them.

use crate::{
    Result,
    graph::Tensor,
    ops::{Case, CaseInput, Cases, Registered},
};

pub(in crate::ops) const REGISTERED: [Registered; 4] = [
    Registered {
        name: "layer_norm",
        formula: "(x − mean) / √(var + eps) · weight + bias, over the last dimension",
        inputs: "x […, C]; weight [C] and bias [C], or none",
        attributes: "eps ≥ 0, usually 1e-5",
        types: "f32, f64",
        source: "Ba, Kiros, Hinton 2016",
        cases: Cases::Listed(|| {
            let apply = |x: &Tensor, w: Option<&Tensor>, b: Option<&Tensor>| x.layer_norm(w, b, 1e-5);
            vec![
                case(&[2, 3, 65], 65, 2, apply),
                case(&[257, 3], 3, 2, apply),
                case(&[3, 257], 257, 1, apply),
                case(&[64], 64, 0, apply),
                case(&[3, 1], 1, 0, apply),
                case(&[2, 0], 0, 2, apply),
                case(&[2, 5000], 5000, 2, apply).no_gradient(),
            ]
        }),
    },
    Registered {
        name: "rms_norm",
        formula: "x / √(mean(x²) + eps) · weight, over the last dimension",
        inputs: "x […, C]; weight [C] or none",
        attributes: "eps ≥ 0, usually 1e-6",
        types: "f32, f64",
        source: "Zhang, Sennrich 2019",
        cases: Cases::Listed(|| {
            let apply = |x: &Tensor, w: Option<&Tensor>, _: Option<&Tensor>| x.rms_norm(w, 1e-3);
            vec![
                case(&[2, 3, 65], 65, 1, apply),
                case(&[257, 3], 3, 1, apply),
                case(&[64], 64, 0, apply),
                case(&[0, 4], 4, 1, apply),
                case(&[2, 5000], 5000, 1, apply).no_gradient(),
            ]
        }),
    },
    Registered {
        name: "group_norm",
        formula: "(x − mean) / √(var + eps) · weight + bias, over groups of channels",
        inputs: "x [B, C, …]; weight [C] and bias [C], or none",
        attributes: "groups, a divisor of C; eps ≥ 0, usually 1e-5",
        types: "f32, f64",
        source: "Wu, He 2018",
        cases: Cases::Listed(|| {
            let by = |groups: usize| {
                move |x: &Tensor, w: Option<&Tensor>, b: Option<&Tensor>| x.group_norm(groups, w, b, 1e-5)
            };
            vec![
                case(&[3, 6, 5, 3], 6, 2, by(2)),
                case(&[65, 16], 16, 2, by(2)),
                case(&[2, 3, 9], 3, 1, by(3)),
                case(&[2, 4, 9], 4, 0, by(1)),
                case(&[2, 2, 3000], 2, 2, by(1)).no_gradient(),
            ]
        }),
    },
    Registered {
        name: "batch_norm",
        formula: "(x − mean) / √(var + eps) · weight + bias, over all dimensions but the second",
        inputs: "x [B, C, …]; weight [C] and bias [C], or none",
        attributes: "eps ≥ 0, usually 1e-5; the batch's own statistics",
        types: "f32, f64",
        source: "Ioffe, Szegedy 2015",
        cases: Cases::Listed(|| {
            let apply = |x: &Tensor, w: Option<&Tensor>, b: Option<&Tensor>| x.batch_norm(w, b, 1e-5);
            vec![
                case(&[3, 6, 5, 3], 6, 2, apply),
                case(&[65, 3], 3, 2, apply),
                case(&[3, 33], 33, 1, apply),
                case(&[2, 3, 1], 3, 0, apply),
                case(&[0, 3, 2], 3, 2, apply),
                case(&[257, 2, 9], 2, 2, apply).no_gradient(),
            ]
        }),
    },
];

/// A case with neither weight nor bias, a weight, or both.
fn case(
    shape: &[usize],
    channels: usize,
    vectors: usize,
    apply: impl Fn(&Tensor, Option<&Tensor>, Option<&Tensor>) -> Result<Tensor> + Send + Sync + 'static,
) -> Case {
    let vector = || CaseInput::new(&[channels]);
    let inputs = [CaseInput::new(shape), vector(), vector()];
    Case::new(format!("{shape:?} with {vectors} vectors"), inputs[..=vectors].to_vec(), move |t| {
        Ok(vec![apply(&t[0], t.get(1), t.get(2))?])
    })
}
