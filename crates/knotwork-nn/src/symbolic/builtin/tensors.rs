//! The library's functions of tensors.

use std::f64::consts::FRAC_PI_2;

use knotwork_core::{Result, Tensor};

use super::super::Function;

type OnTensor = fn(&Tensor) -> Result<Tensor>;

/// With its form of tensors.
pub(super) fn on_tensors(function: Function) -> Function {
    match form(function.name()) {
        Some(form) => function.tensor(form),
        None => function,
    }
}

fn form(name: &str) -> Option<OnTensor> {
    Some(match name {
        "0" => |u| u.mul(0.0),
        "x" => |u| u.mul(1.0),
        "x^2" => Tensor::square,
        "x^3" => cube,
        "x^4" => |u| u.square()?.square(),
        "x^5" => fifth,
        "1/x" => Tensor::recip,
        "1/x^2" => |u| u.square()?.recip(),
        "1/x^3" => |u| cube(u)?.recip(),
        "1/x^4" => |u| u.square()?.square()?.recip(),
        "1/x^5" => |u| fifth(u)?.recip(),
        "sqrt" => Tensor::sqrt,
        "x^1.5" => |u| u.mul(&u.sqrt()?),
        "1/sqrt(x)" => Tensor::rsqrt,
        "abs" => Tensor::abs,
        "sgn" => Tensor::sign,
        "relu" => Tensor::relu,
        "exp" => Tensor::exp,
        "log" => Tensor::log,
        "sin" => Tensor::sin,
        "cos" => Tensor::cos,
        "tan" => |u| u.sin()?.div(&u.cos()?),
        "tanh" => Tensor::tanh,
        // tanh keeps the digits of small u.
        "sinh" => |u| u.tanh()?.mul(&cosh(u)?),
        "cosh" => cosh,
        "arcsin" => arcsine,
        "arccos" => |u| arcsine(u)?.neg()?.add(FRAC_PI_2),
        "arctan" => Tensor::arctan,
        "arctanh" => |u| u.add(1.0)?.div(&u.neg()?.add(1.0)?)?.log()?.mul(0.5),
        "arcsinh" => Tensor::asinh,
        "gaussian" => |u| u.square()?.neg()?.exp(),
        "sigmoid" => Tensor::sigmoid,
        "silu" => Tensor::silu,
        "softplus" => |u| u.neg()?.log_sigmoid()?.neg(),
        "lorentzian" => |u| u.square()?.add(1.0)?.recip(),
        _ => return None,
    })
}

fn cube(u: &Tensor) -> Result<Tensor> {
    u.square()?.mul(u)
}

fn fifth(u: &Tensor) -> Result<Tensor> {
    u.square()?.square()?.mul(u)
}

fn cosh(u: &Tensor) -> Result<Tensor> {
    u.exp()?.add(&u.neg()?.exp()?)?.mul(0.5)
}

/// arctan(u / √((1 − u)(1 + u))): also at the ends, where the quotient is infinite.
fn arcsine(u: &Tensor) -> Result<Tensor> {
    u.div(&u.neg()?.add(1.0)?.mul(&u.add(1.0)?)?.sqrt()?)?.arctan()
}
