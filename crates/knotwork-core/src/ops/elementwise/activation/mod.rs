//! The table of activations, by family. Each has up to three rows: its value, `NAME_d1` and `NAME_d2`.

#[macro_use]
mod short;

mod bell;
mod cauchy;
mod crrelu;
mod elephant;
mod gelu;
mod gompertz;
mod hard;
mod hyperbolic;
mod inverse;
mod inverse_root;
mod jet;
mod logistic;
mod periodic;
mod rectified;
mod relu;
mod softplus;
mod squareplus;
mod squash;
mod swish;
mod tanh;
mod tempered;
mod xatlu;

#[cfg(test)]
mod kinks;
#[cfg(test)]
mod pieces;
#[cfg(test)]
mod tests;

use super::rows::Row;

/// All of them, by family.
pub(super) static FAMILIES: &[&[Row]] = &[
    relu::ROWS,
    logistic::ROWS,
    tanh::ROWS,
    gelu::ROWS,
    &swish::GELU_TANH,
    &swish::QUICK_GELU,
    &swish::SWISH,
    &swish::ELISH,
    &swish::XGELU,
    &swish::XSILU,
    &softplus::SOFTPLUS,
    &softplus::LOG_SIGMOID,
    &softplus::MISH,
    &softplus::SERF,
    &softplus::LOGISH,
    &softplus::SMISH,
    &hyperbolic::LISHT,
    &hyperbolic::TANHEXP,
    &hyperbolic::PHISH,
    &bell::GAUSSIAN,
    &bell::ERF,
    &gompertz::GOLU,
    &gompertz::APA,
    &gompertz::AGLU,
    periodic::SIN,
    &periodic::SNAKE,
    &periodic::GCU,
    &periodic::SPDER,
    hard::ROWS,
    rectified::ROWS,
    squash::ROWS,
    inverse_root::ROWS,
    &inverse::ARCTAN,
    &inverse::ASINH,
    &crrelu::CRRELU,
    &squareplus::SQUAREPLUS,
    &cauchy::CAUCHY,
    &elephant::ELEPHANT,
    &tempered::TEMPERED,
    &xatlu::XATLU,
];
