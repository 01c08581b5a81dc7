//! Every operation, by family. Adding one touches its file, its shader and one line here.

use super::{
    Registered, cross_entropy, cumsum, elementwise, gather_rows, glu, hadamard_transform, kan, logsumexp,
    matmul, maxout, mse_loss, norm, optimizer, pad, poly_relu, prelu, rational, reduce, scatter_add_rows,
    softmax, sparse, var, views,
};

/// All operations.
#[must_use]
pub fn registry() -> Vec<Registered> {
    families().into_iter().flat_map(|(_, ops)| ops).collect()
}

/// All operations by family, as the documentation shows them.
#[must_use]
pub fn families() -> Vec<(&'static str, Vec<Registered>)> {
    let mut products = vec![matmul::REGISTERED, hadamard_transform::REGISTERED];
    products.extend(sparse::REGISTERED);
    let mut reductions = reduce::REGISTERED.to_vec();
    reductions.extend([var::REGISTERED, logsumexp::REGISTERED, cumsum::REGISTERED, maxout::REGISTERED]);
    let learnable = vec![prelu::REGISTERED, rational::REGISTERED, poly_relu::REGISTERED, glu::REGISTERED];
    let kolmogorov_arnold = vec![kan::REGISTERED, kan::BASIS, kan::WAVELET];
    let rows =
        vec![gather_rows::REGISTERED, scatter_add_rows::REGISTERED, pad::REGISTERED, views::REGISTERED];
    let losses = vec![mse_loss::REGISTERED, cross_entropy::REGISTERED];
    vec![
        ("Products and transforms", products),
        ("Kolmogorov-Arnold layers", kolmogorov_arnold),
        ("Reductions and scans", reductions),
        ("Probability maps", softmax::REGISTERED.to_vec()),
        ("Normalisation", norm::REGISTERED.to_vec()),
        ("Learnable and gated activations", learnable),
        ("Rows, padding and views", rows),
        ("Losses", losses),
        ("Optimizers", optimizer::REGISTERED.to_vec()),
        ("Activations", elementwise::registered(true)),
        ("Arithmetic, comparisons and casts", elementwise::registered(false)),
    ]
}
