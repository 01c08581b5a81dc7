//! Every operation, by name. Adding one touches its file, its shader and one line here.

use super::{
    Registered, cross_entropy, cumsum, elementwise, gather_rows, glu, hadamard_transform, kan, logsumexp,
    matmul, maxout, mse_loss, norm, optimizer, pad, poly_norm, poly_relu, prelu, rational, reduce,
    scatter_add_rows, softmax, var, views,
};

/// All operations, elementwise ones last.
#[must_use]
pub fn registry() -> Vec<Registered> {
    let mut all = vec![pad::REGISTERED, views::REGISTERED, kan::REGISTERED, kan::BASIS, kan::WAVELET];
    all.extend([matmul::REGISTERED, cross_entropy::REGISTERED, mse_loss::REGISTERED]);
    all.extend(reduce::REGISTERED);
    all.extend(softmax::REGISTERED);
    all.extend([logsumexp::REGISTERED, var::REGISTERED, cumsum::REGISTERED]);
    all.extend(norm::REGISTERED);
    all.push(poly_norm::REGISTERED);
    all.extend([
        prelu::REGISTERED,
        glu::REGISTERED,
        maxout::REGISTERED,
        rational::REGISTERED,
        poly_relu::REGISTERED,
        hadamard_transform::REGISTERED,
        gather_rows::REGISTERED,
        scatter_add_rows::REGISTERED,
    ]);
    all.extend(optimizer::REGISTERED);
    all.extend(elementwise::registered());
    all
}
