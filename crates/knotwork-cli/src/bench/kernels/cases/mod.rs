//! What `knotwork bench` measures: named shapes of every family of operations, in three sizes.

mod attention;
mod elementwise;
mod kan;
mod normalise;
mod products;
mod reductions;
mod sorts;
mod sparse;
mod training;

use super::case::{Case, Size};

/// All cases of a size. The lists of all sizes are parallel: the i-th case differs in its shape only.
pub fn all(size: Size) -> Vec<Case> {
    [
        products::cases(size),
        elementwise::cases(size),
        reductions::cases(size),
        sorts::cases(size),
        normalise::cases(size),
        sparse::cases(size),
        attention::cases(size),
        kan::cases(size),
        training::cases(size),
    ]
    .concat()
}

/// A shape as part of a name: `64x32`.
fn by(shape: &[usize]) -> String {
    shape.iter().map(ToString::to_string).collect::<Vec<_>>().join("x")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn sizes_are_parallel_and_names_are_unique() {
        let lists = [Size::Tiny, Size::Small, Size::Large].map(all);
        for list in &lists {
            assert_eq!(list.len(), lists[0].len());
            let names: BTreeSet<&str> = list.iter().map(|c| c.name.as_str()).collect();
            assert_eq!(names.len(), list.len());
            for (one, other) in list.iter().zip(&lists[0]) {
                assert_eq!(one.family(), other.family());
            }
        }
    }
}
