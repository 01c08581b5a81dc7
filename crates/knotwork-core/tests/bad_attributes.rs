//! Attributes and shapes out of their range, operation by operation: each is an error of the call that made it, with the
//! operation, the inputs, the limit and this file's line in its message.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in tests a panic is the report")]

use knotwork_core::{
    DType, Graph, Result, Tensor,
    ops::{Attention, BSpline, Basis, Conv2d, Feature, Mask, RationalForm},
};

/// x [2, 6, 4, 4], m [6, 4], v [6], index [3].
struct Inputs {
    x: Tensor,
    m: Tensor,
    v: Tensor,
    index: Tensor,
}

type Attempt = fn(&Inputs) -> Result<Tensor>;

#[test]
fn each_is_refused_where_it_is_made_and_says_why() {
    let attempts: &[(&str, Attempt)] = &[
        ("group_norm(4)", |i| i.x.group_norm(4, None, None, 1e-5)),
        ("group_norm(0)", |i| i.x.group_norm(0, None, None, 1e-5)),
        ("layer_norm, a weight of another length", |i| i.m.layer_norm(Some(&i.v), None, 1e-5)),
        ("rms_norm, eps < 0", |i| i.m.rms_norm(None, -1.0)),
        ("softmax(2)", |i| i.m.softmax(2)),
        ("sparsemax(-3)", |i| i.m.sparsemax(-3)),
        ("entmax15(5)", |i| i.m.entmax15(5)),
        ("cumsum(2)", |i| i.m.cumsum(2)),
        ("sort(2)", |i| Ok(i.m.sort(2, false)?.0)),
        ("argsort(-3)", |i| i.m.argsort(-3, false)),
        ("topk(7) of 6", |i| Ok(i.m.topk(7, 0, true)?.0)),
        ("topk over no such dimension", |i| Ok(i.m.topk(1, 4, true)?.0)),
        ("gather by an index of another rank", |i| i.m.gather(0, &i.index)),
        ("gather by floats", |i| i.m.gather(1, &i.m)),
        ("scatter_add to length 0", |i| i.v.slice(0, 0, 3)?.scatter_add(0, &i.index, 0)),
        ("scatter_add by an index of another shape", |i| i.v.scatter_add(0, &i.index, 6)),
        ("sum over a dimension twice", |i| i.m.sum(&[0, 0], false)),
        ("var over no such dimension", |i| i.m.var(&[4], 0.0, false)),
        ("maxout(0)", |i| i.m.maxout(0)),
        ("maxout(3) of 4", |i| i.m.maxout(3)),
        ("prelu, a weight of another length", |i| i.m.prelu(&i.v, -1)),
        ("rational, coefficients for 6 groups of 4 channels", |i| i.m.rational(&i.m, &i.m, RationalForm::A)),
        ("hadamard_transform of 6", |i| i.v.hadamard_transform()),
        ("conv2d, stride 0", |i| i.x.conv2d(&i.x, None, &Conv2d::new().stride(0))),
        ("conv2d, 4 groups of 6 channels", |i| i.x.conv2d(&i.x, None, &Conv2d::new().groups(4))),
        ("conv2d, a kernel larger than the image", |i| i.x.conv2d(&i.x, None, &Conv2d::new().dilation(2))),
        ("gather_rows by floats", |i| i.m.gather_rows(&i.v)),
        ("elu(NaN)", |i| i.m.activation("elu", &[("alpha", f64::NAN)])),
        ("elu(beta)", |i| i.m.activation("elu", &[("beta", 1.0)])),
        ("celu(0)", |i| i.m.celu(0.0)),
        ("hard_tanh(1, -1)", |i| i.m.hard_tanh(1.0, -1.0)),
        ("a B-spline of no intervals", |i| i.m.basis(BSpline::new(0, 3)?)),
        ("an order beyond the limit", |i| i.m.basis(BSpline::new(5, 1000)?)),
        ("a B-spline over an empty range", |i| i.m.basis(BSpline::new(5, 3)?.range(1.0, 1.0)?)),
        ("no Gaussians", |i| i.m.basis(Basis::rbf(0, (-1.0, 1.0), None)?)),
        ("one Gaussian without a width", |i| i.m.basis(Basis::rbf(1, (-1.0, 1.0), None)?)),
        ("no frequencies", |i| i.m.basis(Basis::fourier(0)?)),
        ("jacobi(a = -2)", |i| i.m.basis(Basis::jacobi(3, -2.0, 0.0)?)),
        ("relu_kan of no intervals", |i| i.m.basis(Basis::relu_kan(0, 3)?)),
        ("attention, top_k 0", |i| i.x.attention(&i.x, &i.x, &Attention::new().top_k(0))),
        ("attention, top_k 5 of 4", |i| i.x.attention(&i.x, &i.x, &Attention::new().top_k(5))),
        ("attention, softcap 0", |i| i.x.attention(&i.x, &i.x, &Attention::new().softcap(0.0))),
        ("attention, strided(0)", |i| i.x.attention(&i.x, &i.x, &Attention::new().mask(Mask::strided(0)))),
        ("attention of two dimensions", |i| i.m.attention(&i.m, &i.m, &Attention::new())),
        ("linear_attention, other widths", |i| {
            i.m.linear_attention(&i.m.slice(1, 0, 3)?, &i.m, Feature::Elu1, false, true)
        }),
        ("activation(frobnicate)", |i| i.m.activation("frobnicate", &[])),
        ("scatter_add_rows, fewer indices than rows", |i| i.m.scatter_add_rows(&i.index, 4)),
        ("poly_norm, no weight", |i| i.m.poly_norm(&i.v.slice(0, 0, 0)?, &i.v.slice(0, 0, 1)?, 1e-6)),
        ("batch_norm, a bias of another length", |i| i.x.batch_norm(None, Some(&i.index), 1e-5)),
        ("var, correction NaN", |i| i.m.var(&[0], f64::NAN, false)),
        ("glu, other shapes", |i| i.m.glu(&i.v, knotwork_core::ops::GluActivation::Silu)),
        ("cross_entropy, as many labels as another batch", |i| i.m.cross_entropy(&i.index)),
    ];
    let g = Graph::new();
    let input = |name: &str, dtype, shape: &[usize]| g.input(name, dtype, shape).unwrap();
    let inputs = Inputs {
        x: input("x", DType::F32, &[2, 6, 4, 4]),
        m: input("m", DType::F32, &[6, 4]),
        v: input("v", DType::F32, &[6]),
        index: input("index", DType::I32, &[3]),
    };
    for (what, attempt) in attempts {
        let message = attempt(&inputs).expect_err(what).to_string();
        println!("{what}:\n    {message}");
        assert!(message.starts_with('`'), "{what} does not open with the operation: {message}");
        assert!(message.contains("bad_attributes.rs:"), "{what} does not say where: {message}");
    }
}
