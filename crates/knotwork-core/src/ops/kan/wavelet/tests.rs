//! Golden values, the policy for a scale of 0, and refusals.

use super::*;
use crate::{DType, Device, Graph, HostTensor, ops::testing::both};

#[test]
fn wavelets_and_their_slopes_have_their_known_values() {
    // At u = 0.5, by arithmetic of 40 digits.
    for (wavelet, value, slope) in [
        (Wavelet::MexicanHat, 0.574_058_766_243, -1.052_441_071_45),
        (Wavelet::Morlet, -0.707_006_759_246, -2.287_245_687_65),
        (Wavelet::Dog, -0.441_248_451_292, -0.661_872_676_938),
    ] {
        let [v, s] = psi::both(wavelet, 0, 0, 0.5f64);
        assert!((v - value).abs() < 1e-11 && (s - slope).abs() < 1e-10, "{wavelet}: {v}, {s}");
        for d in 0..4 {
            let at = |u: f64| psi::both(wavelet, 2, d, u)[0] / (u * u);
            let difference = (at(0.7 + 1e-5) - at(0.7 - 1e-5)) / 2e-5;
            let got = psi::both(wavelet, 0, d, 0.7f64)[1];
            assert!((difference - got).abs() < 1e-6 * got.abs().max(1.0), "{wavelet}, derivative {d}");
        }
    }
}

#[test]
fn infinities_give_zero_and_a_scale_of_zero_gives_nan() {
    let g = Graph::new();
    let t = |values: &[f32], shape: [usize; 2]| g.tensor(HostTensor::new(values, shape).unwrap()).unwrap();
    let x = t(&[f32::INFINITY, 1e30, f32::NEG_INFINITY, 0.5], [4, 1]);
    let (w, s, c) = (t(&[1.0, 1.0], [2, 1]), t(&[1e-3, 0.0], [2, 1]), t(&[0.0, 0.5], [2, 1]));
    for wavelet in [Wavelet::MexicanHat, Wavelet::Morlet, Wavelet::Dog] {
        let y = x.wavelet_kan_layer(&w, &s, &c, wavelet).unwrap();
        let dx = y.sum(&[0, 1], false).unwrap().grad(&[&x]).unwrap().remove(0);
        let got = both(&g, &[&y, &dx], &[]);
        for (b, y) in got[0].chunks(2).enumerate() {
            assert!(y[0] == 0.0 && y[1].is_nan(), "{wavelet}, row {b}: {y:?}");
        }
        assert!(got[1].iter().all(|v| v.is_nan()));
    }
}

#[test]
fn refusals_name_the_layer_the_shapes_and_the_dimension() {
    let g = Graph::new();
    let t = |shape: &[usize]| g.tensor(HostTensor::zeros(DType::F32, shape)).unwrap();
    let (x, w) = (t(&[2, 3]), t(&[4, 3]));
    let says = |r: Result<Tensor>, part: &str| {
        let text = r.unwrap_err().to_string();
        assert!(text.contains("`wavelet_kan_layer`") && text.contains(part), "{text}");
    };
    let dog = Wavelet::Dog;
    says(x.wavelet_kan_layer(&t(&[4, 2]), &w, &w, dog), "dimension 1 of weight is 2, the last of x is 3");
    says(x.wavelet_kan_layer(&t(&[3]), &w, &w, dog), "weight has 1 dimensions; it must have 2, [O, I]");
    says(x.wavelet_kan_layer(&w, &t(&[1, 3]), &w, dog), "scale has shape [1, 3], weight has [4, 3]");
    says(x.wavelet_kan_layer(&w, &w, &t(&[4, 3, 1]), dog), "translation has shape [4, 3, 1]");
    says(x.wavelet_kan_layer(&w, &w.cast(DType::F64).unwrap(), &w, dog), "floats of one type");
    says(t(&[]).wavelet_kan_layer(&w, &w, &w, dog), "x has no dimension");
}

#[test]
fn derivatives_end_where_the_layer_says() {
    let g = Graph::new();
    let x = g.input("x", DType::F64, [1, 1]).unwrap();
    let one = g.tensor(HostTensor::new(&[1.0f64], [1, 1]).unwrap()).unwrap();
    let mut y = x.wavelet_kan_layer(&one, &one, &one, Wavelet::Morlet).unwrap();
    for _ in 0..4 {
        y = y.sum(&[0, 1], false).unwrap().grad(&[&x]).unwrap().remove(0);
    }
    let error = y.sum(&[0, 1], false).unwrap().grad(&[&x]).unwrap_err().to_string();
    assert!(error.contains("morlet") && error.contains("up to order 4"), "{error}");
    assert!(Device::cpu().compile(&g, &[&y], &[]).is_ok());
}
