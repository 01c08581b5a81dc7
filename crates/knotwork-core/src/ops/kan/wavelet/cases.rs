//! What the harness tests of wavelet layers.

use super::Wavelet;
use crate::ops::{Case, CaseInput, Cases, Registered};

pub(crate) const REGISTERED: Registered = Registered {
    name: "wavelet_kan_layer",
    formula: "Σ_i weight_oi ψ((x_i − translation_oi) / scale_oi)",
    inputs: "x [B, I]; weight, scale, translation [O, I]; a scale of 0 gives NaN",
    attributes: "wavelet: mexican_hat, morlet, dog",
    types: "f32, f64",
    source: "Bozorgasl and Chen 2024, Wav-KAN",
    cases: Cases::Listed(cases),
};

fn cases() -> Vec<Case> {
    let case = |name: &str, [rows, inputs, outputs]: [usize; 3], wavelet: Wavelet| {
        let edge = [outputs, inputs];
        let given = vec![
            CaseInput::new(&[rows, inputs]),
            CaseInput::between(&edge, -1.0, 1.0),
            CaseInput::between(&edge, 0.6, 2.0),
            CaseInput::between(&edge, -1.0, 1.0),
        ];
        // Rounding of sums over inputs, outputs or rows; Morlet's frequency multiplies that of u.
        let terms = inputs.max(outputs).max(rows).max(1) as f64;
        let steep = if wavelet == Wavelet::Morlet { 5.0 } else { 1.0 };
        Case::new(format!("{name}, {wavelet}: [{rows}, {inputs}] to {outputs}"), given, move |t| {
            Ok(vec![t[0].wavelet_kan_layer(&t[1], &t[2], &t[3], wavelet)?])
        })
        .tolerance(2e-6 * steep * (0.5 * terms.sqrt()).max(1.0))
    };
    let mut all = vec![
        case("one edge", [1, 1, 1], Wavelet::Dog),
        case("few", [5, 3, 2], Wavelet::MexicanHat),
        case("few", [3, 4, 3], Wavelet::Morlet),
        case("tiles", [17, 33, 18], Wavelet::MexicanHat),
        case("many rows", [257, 3, 2], Wavelet::Morlet),
        case("many inputs", [2, 130, 1], Wavelet::Dog),
        case("many outputs", [3, 2, 65], Wavelet::Dog),
        case("no rows", [0, 3, 2], Wavelet::Dog),
    ];
    let given = vec![
        CaseInput::between(&[2, 3, 2], -30.0, 30.0),
        CaseInput::new(&[3, 2]),
        CaseInput::between(&[3, 2], -1.5, -0.5),
        CaseInput::new(&[3, 2]),
    ];
    all.push(Case::new("leading dimensions, far out, mirrored", given, |t| {
        Ok(vec![t[0].wavelet_kan_layer(&t[1], &t[2], &t[3], Wavelet::MexicanHat)?])
    }));
    all
}
