//! Attention as the planner makes it of products and a softmax between them.

use std::sync::Arc;

use super::{
    Index, Mask, Normalizer,
    index::{Expression, Part, Role, Table},
    op::{AttentionOp, BiasForm, PartOf, Setting},
};
use crate::ops::Op;

/// The keys that a query may not look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hidden {
    /// None.
    Nothing,
    /// Those after its own position.
    Later,
    /// Those where a table `[Lq, Lk]` of i32, the last input, has 0.
    Table,
}

/// Softmax attention over q `[B, H, Lq, D]`, k `[B, H, Lk, D]`, v `[B, H, Lk, Dv]`, perhaps a bias `[H or 1, Lq or 1,
/// Lk or 1]`, and perhaps a table.
pub(crate) fn from_parts(scale: f64, bias: bool, hidden: Hidden) -> Arc<dyn Op> {
    let mask = match hidden {
        Hidden::Nothing => Mask::full(),
        Hidden::Later => Mask::causal(),
        Hidden::Table => {
            let at = vec![Index::row().0, Index::key().0];
            Mask::when(Index(Part::new(Expression::Value(Table::Slot(0), at))).differs(0))
        }
    };
    Arc::new(AttentionOp {
        part: PartOf::Forward,
        setting: Setting {
            mask: mask.condition.0,
            roles: if hidden == Hidden::Table { vec![Role::Values] } else { Vec::new() },
            scale: Some(scale),
            softcap: None,
            alibi: false,
            bias: bias.then_some(BiasForm::Scores),
            top_k: None,
            normalizer: Normalizer::Softmax,
        },
    })
}
