//! Every operation, by name. Adding one touches its file, its shader and one line here.

use super::{
    Registered, attention, cross_entropy, elementwise, kan, logsumexp, matmul, mse_loss, optimizer, pad,
    reduce, softmax, views,
};

/// All operations, elementwise ones last.
#[must_use]
pub fn registry() -> Vec<Registered> {
    let mut all = vec![pad::REGISTERED, views::REGISTERED, kan::REGISTERED, attention::REGISTERED];
    all.extend([matmul::REGISTERED, cross_entropy::REGISTERED, mse_loss::REGISTERED]);
    all.extend(reduce::REGISTERED);
    all.extend(softmax::REGISTERED);
    all.push(logsumexp::REGISTERED);
    all.extend(optimizer::REGISTERED);
    all.extend(elementwise::registered());
    all
}
