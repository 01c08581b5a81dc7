//! The table of embedded shader files.

/// Every shader file of this crate: its name (the path without `.wgsl`) and its text, sorted by name.
///
/// ```
/// assert!(knotwork_shaders::SHADERS.iter().any(|(name, _)| *name == "shared/grid"));
/// ```
pub const SHADERS: &[(&str, &str)] = &[
    ("activation/gelu", include_str!("../activation/gelu.wgsl")),
    ("activation/relu", include_str!("../activation/relu.wgsl")),
    ("activation/sigmoid", include_str!("../activation/sigmoid.wgsl")),
    ("activation/silu", include_str!("../activation/silu.wgsl")),
    ("activation/tanh", include_str!("../activation/tanh.wgsl")),
    ("attention/backward", include_str!("../attention/backward.wgsl")),
    ("attention/bias", include_str!("../attention/bias.wgsl")),
    ("attention/forward", include_str!("../attention/forward.wgsl")),
    ("attention/key", include_str!("../attention/key.wgsl")),
    ("attention/pack", include_str!("../attention/pack.wgsl")),
    ("attention/query", include_str!("../attention/query.wgsl")),
    ("attention/rows", include_str!("../attention/rows.wgsl")),
    ("attention/scores", include_str!("../attention/scores.wgsl")),
    ("attention/trees", include_str!("../attention/trees.wgsl")),
    ("cross_entropy", include_str!("../cross_entropy.wgsl")),
    ("elementwise/arith", include_str!("../elementwise/arith.wgsl")),
    ("elementwise/cast", include_str!("../elementwise/cast.wgsl")),
    ("kan/add_parts", include_str!("../kan/add_parts.wgsl")),
    ("kan/basis", include_str!("../kan/basis.wgsl")),
    ("kan/coefficients", include_str!("../kan/coefficients.wgsl")),
    ("kan/forward", include_str!("../kan/forward.wgsl")),
    ("kan/input", include_str!("../kan/input.wgsl")),
    ("matmul", include_str!("../matmul.wgsl")),
    ("optimizer/adam", include_str!("../optimizer/adam.wgsl")),
    ("optimizer/copy", include_str!("../optimizer/copy.wgsl")),
    ("optimizer/sgd", include_str!("../optimizer/sgd.wgsl")),
    ("pad", include_str!("../pad.wgsl")),
    ("reduce", include_str!("../reduce.wgsl")),
    ("shared/bits", include_str!("../shared/bits.wgsl")),
    ("shared/erf", include_str!("../shared/erf.wgsl")),
    ("shared/exp", include_str!("../shared/exp.wgsl")),
    ("shared/grid", include_str!("../shared/grid.wgsl")),
    ("shared/log", include_str!("../shared/log.wgsl")),
    ("shared/math", include_str!("../shared/math.wgsl")),
    ("shared/normal", include_str!("../shared/normal.wgsl")),
    ("shared/pow", include_str!("../shared/pow.wgsl")),
    ("shared/sigmoid", include_str!("../shared/sigmoid.wgsl")),
    ("shared/tanh", include_str!("../shared/tanh.wgsl")),
    ("shared/trig", include_str!("../shared/trig.wgsl")),
    ("smooth_target", include_str!("../smooth_target.wgsl")),
    ("softmax", include_str!("../softmax.wgsl")),
];

/// The text of a named shader, if there is one.
///
/// ```
/// let text = knotwork_shaders::shader("shared/grid").ok_or("no such shader")?;
/// assert!(text.contains("fn linear_group"));
/// assert!(knotwork_shaders::shader("no/such").is_none());
/// # Ok::<(), &str>(())
/// ```
pub fn shader(name: &str) -> Option<&'static str> {
    SHADERS.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}
