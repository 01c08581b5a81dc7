//! The term of an edge beside its learned function.

use std::{fmt, str::FromStr};

use knotwork_core::{Tensor, ops::elementwise::activations};

use crate::{Error, Result};

/// β of an edge's function φ(x) = w β(x) + Σ_m c_m φ_m(x): what it is before anything is learned, and beyond the grid.
///
/// ```
/// use knotwork_nn::kan::Base;
/// assert_eq!("tanh".parse::<Base>()?.value(0.5), 0.5f64.tanh());
/// assert_eq!(Base::Silu.to_string(), "silu");
/// assert!("sillu".parse::<Base>().is_err());
/// # Ok::<(), knotwork_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Base {
    /// No such term.
    None,
    /// x σ(x), pykan's and the one that kernels of layers have within: no other is as fast.
    #[default]
    Silu,
    /// x.
    Identity,
    /// An [activation](Tensor::activation) with its default attributes, by its name.
    Activation(&'static str),
}

impl Base {
    /// β(x) in f64.
    #[must_use]
    pub fn value(self, x: f64) -> f64 {
        match self {
            Self::None => 0.0,
            Self::Silu => x / (1.0 + (-x).exp()),
            Self::Identity => x,
            Self::Activation(name) => activations().find(|row| row.name == name).map_or(f64::NAN, |row| {
                let attributes: Vec<f64> = row.attributes.iter().map(|a| a.default).collect();
                (row.reference)(&[x], &attributes)
            }),
        }
    }

    /// β of every element.
    pub(crate) fn of_tensor(self, x: &Tensor) -> Result<Tensor> {
        Ok(match self {
            Self::None => x.mul(0.0)?,
            Self::Silu => x.silu()?,
            Self::Identity => x.clone(),
            Self::Activation(name) => x.activation(name, &[])?,
        })
    }
}

impl FromStr for Base {
    type Err = Error;

    /// `none`, `silu`, `identity`, or an activation's name.
    #[track_caller]
    fn from_str(name: &str) -> Result<Self> {
        Ok(match name {
            "none" => Self::None,
            "silu" => Self::Silu,
            "identity" => Self::Identity,
            _ => match activations().find(|row| row.name == name && row.arity == 1) {
                Some(row) => Self::Activation(row.name),
                None => {
                    return Err(Error::setting(format!(
                        "`{name}` is no base: it must be none, silu, identity or the name of an activation"
                    )));
                }
            },
        })
    }
}

impl fmt::Display for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::None => "none",
            Self::Silu => "silu",
            Self::Identity => "identity",
            Self::Activation(name) => name,
        })
    }
}
