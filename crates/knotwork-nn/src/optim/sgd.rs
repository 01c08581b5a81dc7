//! Stochastic gradient descent.

use knotwork_core::{Site, Tensor, Update, ops};

use super::minimize::{Common, common_settings};
use crate::Result;

/// Gradient descent, with momentum where it is set.
///
/// ```
/// use knotwork_core::{Device, Graph, HostTensor};
/// use knotwork_nn::Sgd;
/// let g = Graph::new();
/// let w = g.parameter("w", HostTensor::new(&[3.0f32], [1])?)?;
/// let loss = w.square()?.sum(&[0], false)?;
/// let step = Sgd::new(0.1).minimize(&loss)?;
/// let mut train = Device::cpu().compile(&g, &[&loss], &[&step])?;
/// let none: [(&str, HostTensor); 0] = [];
/// train.run(none)?.wait()?;
/// assert!((train.params().get("w")?.item::<f32>()? - 2.4).abs() < 1e-6);
/// # Ok::<(), knotwork_nn::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Sgd {
    lr: f64,
    momentum: f64,
    nesterov: bool,
    weight_decay: f64,
    common: Common,
}

impl Sgd {
    /// With that learning rate, without momentum and weight decay.
    #[must_use]
    pub fn new(lr: f64) -> Self {
        Self { lr, momentum: 0.0, nesterov: false, weight_decay: 0.0, common: Common::default() }
    }

    /// With momentum μ in [0, 1).
    #[must_use]
    pub fn momentum(mut self, momentum: f64) -> Self {
        self.momentum = momentum;
        self
    }

    /// Nesterov's form of the momentum.
    #[must_use]
    pub fn nesterov(mut self, nesterov: bool) -> Self {
        self.nesterov = nesterov;
        self
    }

    /// A weight decay λ, at least 0, through the gradient (L2).
    #[must_use]
    pub fn weight_decay(mut self, weight_decay: f64) -> Self {
        self.weight_decay = weight_decay;
        self
    }

    common_settings!();

    /// The update of one step: of every trainable parameter that the loss depends on. It runs where a program lists it.
    /// Its learning rate is the graph's scalar `sgd.lr`, its states are `sgd.momentum.…`.
    ///
    /// # Errors
    /// Where a setting is out of range, the loss is no scalar or depends on no trainable parameter, an operation has no
    /// gradient, or the graph has an optimizer of that name.
    #[track_caller]
    pub fn minimize(&self, loss: &Tensor) -> Result<Update> {
        let Self { lr, momentum, nesterov, weight_decay, ref common } = *self;
        let clip = common.clip_value.unwrap_or(f64::INFINITY);
        let op = ops::Sgd { tensors: 1, momentum, nesterov, weight_decay, clip, scaled: false };
        let m = common.begin("sgd", lr, loss, op.check(), Site::here())?;
        let op = ops::Sgd { tensors: m.count(), scaled: m.scaled(), ..op };
        let buffers = if momentum == 0.0 { Vec::new() } else { vec![m.zeros("momentum")?] };
        m.finish(op, None, &buffers)
    }
}
