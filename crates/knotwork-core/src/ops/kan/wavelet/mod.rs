//! KAN layers of wavelets: each edge is one wavelet with a weight, a width and a place of its own.

mod cases;
mod fast;
mod kernels;
mod op;
mod psi;
#[cfg(test)]
mod tests;

pub(crate) use cases::REGISTERED;
use op::{Kind, WaveletSum};

use std::fmt;

use crate::{Dim, Result, Site, error::OpError, graph::Tensor};

/// A mother wavelet ψ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wavelet {
    /// 2 / (√3 π^¼) (1 − u²) exp(−u²/2), the negative second derivative of a Gaussian.
    MexicanHat,
    /// cos(5 u) exp(−u²/2).
    Morlet,
    /// −u exp(−u²/2), the derivative of a Gaussian.
    Dog,
}

impl Wavelet {
    /// All that there are.
    pub const ALL: [Self; 3] = [Self::MexicanHat, Self::Morlet, Self::Dog];

    /// The derivative of order `d` of ψ at `u`, in f64.
    ///
    /// ```
    /// use knotwork_core::ops::Wavelet;
    /// assert_eq!(Wavelet::Morlet.evaluate(0.0, 0), 1.0);
    /// assert_eq!(Wavelet::Dog.evaluate(0.0, 1), -1.0);
    /// ```
    #[must_use]
    pub fn evaluate(self, u: f64, d: usize) -> f64 {
        psi::both(self, 0, d, psi::held(u))[0]
    }
}

impl fmt::Display for Wavelet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MexicanHat => "mexican_hat",
            Self::Morlet => "morlet",
            Self::Dog => "dog",
        })
    }
}

impl Tensor {
    /// A KAN layer of wavelets: y_o = Σ_i weight_oi ψ((x_i − translation_oi) / scale_oi).
    ///
    /// Self is x `[..., I]`; `weight`, `scale` and `translation` are `[O, I]`; the result is [..., O]. No value of a single
    /// edge is ever stored. There are gradients to all four, and gradients of gradients up to the fourth derivative of ψ.
    ///
    /// A negative scale mirrors the wavelet. A scale of 0 has no meaning: the outputs and gradients that its edge is part
    /// of are NaN. Start and keep scales away from 0 (by a parametrisation such as exp ρ) where training could reach it.
    /// Source: Bozorgasl and Chen, "Wav-KAN: Wavelet Kolmogorov–Arnold Networks" (2024).
    ///
    /// ```
    /// use knotwork_core::{DType, Device, Graph, HostTensor, ops::Wavelet};
    /// let g = Graph::new();
    /// let x = g.input("x", DType::F32, [1, 1])?;
    /// let one = g.tensor(HostTensor::new(&[1.0f32], [1, 1])?)?;
    /// let zero = g.tensor(HostTensor::new(&[0.0f32], [1, 1])?)?;
    /// let y = x.wavelet_kan_layer(&one, &one, &zero, Wavelet::Dog)?;
    /// let mut program = Device::cpu().compile(&g, &[&y], &[])?;
    /// let out = program.run([("x", HostTensor::new(&[0.5f32], [1, 1])?)])?.wait()?;
    /// assert!((out[0].as_slice::<f32>()?[0] + 0.441_248_45).abs() < 1e-6);
    /// # Ok::<(), knotwork_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Where a rank or a dimension disagrees, or the types are not one float type; the message names all shapes.
    #[track_caller]
    pub fn wavelet_kan_layer(
        &self,
        weight: &Self,
        scale: &Self,
        translation: &Self,
        wavelet: Wavelet,
    ) -> Result<Self> {
        let site = Site::here();
        let given = [("x", self), ("weight", weight), ("scale", scale), ("translation", translation)];
        let refuse = |message: String| {
            let inputs = given.iter().map(|(name, t)| format!("{name} {}", t.meta())).collect();
            Err(OpError { op: "wavelet_kan_layer".into(), inputs, message, site }.into())
        };
        let dims = self.shape().dims();
        let Some((width, lead)) = dims.split_last() else {
            return refuse("x has no dimension; its last one is the inputs, I".into());
        };
        if given.iter().any(|(_, t)| t.dtype() != self.dtype() || !t.dtype().is_float()) {
            return refuse("all must be floats of one type".into());
        }
        let [out, inputs] = weight.shape().dims() else {
            return refuse(format!("weight has {} dimensions; it must have 2, [O, I]", weight.rank()));
        };
        if inputs != width {
            return refuse(format!("dimension 1 of weight is {inputs}, the last of x is {width}"));
        }
        for (name, t) in &given[2..] {
            if t.shape() != weight.shape() {
                return refuse(format!("{name} has shape {}, weight has {}", t.shape(), weight.shape()));
            }
        }
        let rows = lead.iter().cloned().fold(Dim::from(1), |a, b| a * b);
        let x = self.reshape([rows, width.clone()])?;
        let op = WaveletSum { kind: Kind::Forward, wavelet, power: 0, derivative: 0, weighted: false };
        let y = self.graph().apply_one(op, &[&x, weight, scale, translation], site)?;
        let mut shape = lead.to_vec();
        shape.push(out.clone());
        y.reshape(shape)
    }
}
