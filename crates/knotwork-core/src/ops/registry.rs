//! Every operation, by name. Adding one touches its file, its shader and one line here.

use super::{Registered, elementwise, kan, optimizer, pad, reduce, views};

/// All operations, elementwise ones last.
#[must_use]
pub fn registry() -> Vec<Registered> {
    let mut all = vec![pad::REGISTERED, views::REGISTERED, kan::REGISTERED];
    all.extend(reduce::REGISTERED);
    all.extend(optimizer::REGISTERED);
    all.extend(elementwise::registered());
    all
}
