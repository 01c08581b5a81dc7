//! Every operation, by family. Adding one touches its file, its shader and one line here.

#[allow(clippy::wildcard_imports, reason = "the list below names them all")]
use super::*;

/// All operations.
#[must_use]
pub fn registry() -> Vec<Registered> {
    families().into_iter().flat_map(|(_, ops)| ops).collect()
}

/// All operations by family, as the documentation shows them.
#[must_use]
#[rustfmt::skip] // one line an operation
pub fn families() -> Vec<(&'static str, Vec<Registered>)> {
    vec![
        ("Products and transforms", vec![
            matmul::REGISTERED,
            matmul::HALF,
            matmul_int8::REGISTERED,
            conv2d::REGISTERED,
            hadamard_transform::REGISTERED,
        ]),
        ("Sparse products", sparse::REGISTERED.to_vec()),
        ("Kolmogorov-Arnold layers", vec![
            kan::REGISTERED,
            kan::BASIS,
            kan::WAVELET,
            kan::ON_KNOTS,
            kan::OUT_OF_RANGE,
        ]),
        ("Reductions and scans", [
            &reduce::REGISTERED[..],
            &[var::REGISTERED],
            &[logsumexp::REGISTERED],
            &[cumsum::REGISTERED],
            &[maxout::REGISTERED],
        ].concat()),
        ("Sorting", sort::REGISTERED.to_vec()),
        ("Probability maps", [
            &softmax::REGISTERED[..],
            &sparse_map::REGISTERED,
        ].concat()),
        ("Attention", vec![
            attention::REGISTERED,
            attention_decode::REGISTERED,
            cache_append::REGISTERED,
            linear_attention::REGISTERED,
            causal_product::REGISTERED,
        ]),
        ("Normalisation", [
            &norm::REGISTERED[..],
            &[poly_norm::REGISTERED],
        ].concat()),
        ("Learnable and gated activations", vec![
            prelu::REGISTERED,
            rational::REGISTERED,
            poly_relu::REGISTERED,
            glu::REGISTERED,
        ]),
        ("Rows, padding and views", vec![
            gather::REGISTERED,
            scatter_add::REGISTERED,
            gather_rows::REGISTERED,
            scatter_add_rows::REGISTERED,
            pad::REGISTERED,
            concat::REGISTERED,
            views::REGISTERED,
        ]),
        ("Losses", vec![
            mse_loss::REGISTERED,
            cross_entropy::REGISTERED,
        ]),
        ("Optimizers", optimizer::REGISTERED.to_vec()),
        ("Activations", elementwise::registered(true)),
        ("Arithmetic, comparisons and casts", elementwise::registered(false)),
    ]
}
