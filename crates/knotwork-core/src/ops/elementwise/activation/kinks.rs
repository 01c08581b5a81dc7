//! The slope at each kink is the one-sided value that PyTorch's autograd gives (2.15, in f64), on the CPU in both types.
//! The shaders' are in `shaders/tests/clamped.rs`.

use crate::ops::elementwise::row;

/// Name, x, slope, with default attributes.
const SLOPES: &[(&str, f64, f64)] = &[
    ("relu", 0.0, 0.0),
    ("relu6", 0.0, 0.0),
    ("relu6", 6.0, 0.0),
    ("hard_sigmoid", -3.0, 0.0),
    ("hard_sigmoid", 3.0, 0.0),
    ("hard_swish", -3.0, 0.0),
    ("hard_swish", 3.0, 1.0),
    ("hard_tanh", -1.0, 0.0),
    ("hard_tanh", 1.0, 0.0),
    ("hard_mish", -2.0, 0.0),
    ("hard_mish", 0.0, 1.0),
    ("hard_shrink", -0.5, 0.0),
    ("hard_shrink", 0.5, 0.0),
    ("soft_shrink", -0.5, 0.0),
    ("soft_shrink", 0.5, 0.0),
    ("leaky_relu", 0.0, 0.01),
    ("relu_squared", 0.0, 0.0),
    ("star_relu", 0.0, 0.0),
    ("elu", 0.0, 1.0),
    ("selu", 0.0, 1.758_099_340_847_376_6),
    ("celu", 0.0, 1.0),
    ("penalized_tanh", 0.0, 0.25),
    ("crrelu", 0.0, 0.01),
    ("isrlu", 0.0, 1.0),
    ("elish", 0.0, 0.5),
];

#[test]
fn slopes_at_kinks_are_those_of_pytorch() {
    for &(name, x, slope) in SLOPES {
        let derivative = row(&format!("{name}_d1")).unwrap();
        let attributes: Vec<f64> = derivative.attributes.iter().map(|a| a.default).collect();
        let exact = (derivative.reference)(&[x], &attributes);
        assert!((exact - slope).abs() < 1e-12, "{name} at {x}: {exact} in f64, {slope} in PyTorch");
        let mut fast = [f32::NAN];
        (derivative.fast)(&[&[x as f32]], &attributes, &mut fast);
        assert!((f64::from(fast[0]) - slope).abs() < 1e-6, "{name} at {x}: {} in f32, {slope}", fast[0]);
    }
}
