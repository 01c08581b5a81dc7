//! Adam and AdamW.

use knotwork_core::{Site, Tensor, Update, ops};

use super::minimize::{Common, common_settings};
use crate::Result;

/// Adam (Kingma and Ba 2015); a weight decay goes through the gradient (L2).
///
/// ```
/// use knotwork_core::{DType, Device, Graph, HostTensor};
/// use knotwork_nn::Adam;
/// let g = Graph::new();
/// let w = g.parameter("w", HostTensor::new(&[3.0f32], [1])?)?;
/// let loss = w.square()?.sum(&[0], false)?;
/// let step = Adam::new(0.1).minimize(&loss)?;
/// let mut train = Device::cpu().compile(&g, &[&loss], &[&step])?;
/// train.set_scalar("adam.lr", 0.5)?; // the learning rate is data
/// let none: [(&str, HostTensor); 0] = [];
/// train.run(none)?.wait()?;
/// assert!((train.params().get("w")?.item::<f32>()? - 2.5).abs() < 1e-6);
/// # Ok::<(), knotwork_nn::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Adam(Settings);

/// AdamW (Loshchilov and Hutter 2019): the weight decay, 1e-2 unless set, works beside the moments.
///
/// ```
/// # use knotwork_core::{Graph, HostTensor};
/// use knotwork_nn::AdamW;
/// # let g = Graph::new();
/// # let w = g.parameter("w", HostTensor::new(&[3.0f32], [1])?)?;
/// # let loss = w.square()?.sum(&[0], false)?;
/// let step = AdamW::new(1e-3).weight_decay(0.05).clip_norm(1.0).minimize(&loss)?;
/// # Ok::<(), knotwork_nn::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct AdamW(Settings);

#[derive(Clone, Debug)]
struct Settings {
    lr: f64,
    beta1: f64,
    beta2: f64,
    eps: f64,
    weight_decay: f64,
    common: Common,
}

impl Settings {
    fn new(lr: f64, weight_decay: f64) -> Self {
        Self { lr, beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay, common: Common::default() }
    }

    fn minimize(&self, kind: &str, decoupled: bool, loss: &Tensor, site: Site) -> Result<Update> {
        let Self { lr, beta1, beta2, eps, weight_decay, ref common } = *self;
        let clip = common.clip_value.unwrap_or(f64::INFINITY);
        let op = ops::Adam { tensors: 1, beta1, beta2, eps, weight_decay, decoupled, clip, scaled: false };
        let m = common.begin(kind, lr, loss, op.check(), site)?;
        let op = ops::Adam { tensors: m.count(), scaled: m.scaled(), ..op };
        let step = m.step()?;
        let moments = [m.zeros("m")?, m.zeros("v")?];
        m.finish(op, Some(&step), &moments)
    }
}

impl Settings {
    common_settings!();
}

macro_rules! adam {
    ($type:ident, $name:literal, $decoupled:literal, $decay:literal) => {
        impl $type {
            /// With that learning rate, β = (0.9, 0.999) and ε = 1e-8.
            #[must_use]
            pub fn new(lr: f64) -> Self {
                Self(Settings::new(lr, $decay))
            }

            /// Other decays of the moments, each in [0, 1).
            #[must_use]
            pub fn betas(mut self, beta1: f64, beta2: f64) -> Self {
                (self.0.beta1, self.0.beta2) = (beta1, beta2);
                self
            }

            /// Another ε, above 0.
            #[must_use]
            pub fn eps(mut self, eps: f64) -> Self {
                self.0.eps = eps;
                self
            }

            /// Another weight decay λ, at least 0.
            #[must_use]
            pub fn weight_decay(mut self, weight_decay: f64) -> Self {
                self.0.weight_decay = weight_decay;
                self
            }

            /// Another prefix for its learning rate and states; a second optimizer of one kind needs it.
            #[must_use]
            pub fn named(self, name: &str) -> Self {
                Self(self.0.named(name))
            }

            /// Multiplies all gradients by min(1, limit / (norm + 1e-6)), the norm being that of all of them together.
            #[must_use]
            pub fn clip_norm(self, limit: f64) -> Self {
                Self(self.0.clip_norm(limit))
            }

            /// Limits each element of the gradients to ±limit, after [`clip_norm`](Self::clip_norm); NaN stays.
            #[must_use]
            pub fn clip_value(self, limit: f64) -> Self {
                Self(self.0.clip_value(limit))
            }

            /// Steps only these parameters.
            #[must_use]
            pub fn parameters(self, parameters: &[&Tensor]) -> Self {
                Self(self.0.parameters(parameters))
            }

            /// The update of one step: of every trainable parameter that the loss depends on. It runs where a program
            #[doc = concat!("lists it. Its learning rate is the graph's scalar `", $name, ".lr`, its states are `", $name, ".m.…`,")]
            #[doc = concat!("`", $name, ".v.…` and `", $name, ".step`.")]
            ///
            /// # Errors
            /// Where a setting is out of range, the loss is no scalar or depends on no trainable parameter, an operation has
            /// no gradient, or the graph has an optimizer of that name.
            #[track_caller]
            pub fn minimize(&self, loss: &Tensor) -> Result<Update> {
                self.0.minimize($name, $decoupled, loss, Site::here())
            }
        }
    };
}

adam!(Adam, "adam", false, 0.0);
adam!(AdamW, "adamw", true, 1e-2);
