//! Which keys a query may look at.

use std::ops::{BitAnd, BitOr, Not};

use super::index::{Condition, Index, Role};
use crate::graph::Tensor;

/// Which keys a query may look at: one of the named masks, or any [`Condition`], joined with `&`, `|` and `!`.
///
/// Query i stands at key position q = i + Lk − Lq: the last query stands at the last key. Where Lq > Lk, the first
/// Lq − Lk queries stand at negative positions, before every key. A query that may look at nothing gives 0 and has
/// gradients of 0.
///
/// ```
/// use knotwork_core::{DType, Graph, ops::{Attention, Index, Mask}};
/// let g = Graph::new();
/// let x = g.input("x", DType::F32, [1, 2, 16, 8])?;
/// // The last four keys and two that all see, as in streaming models.
/// let streaming = Mask::window(3, 0) | (Mask::prefix(2) & Mask::causal());
/// let y = x.attention(&x, &x, &Attention::new().mask(streaming))?;
/// assert_eq!(y.shape(), x.shape());
/// // Anything else: heads 0, 1, 2, … look 1, 2, 4, … keys back.
/// let one = Mask::causal() & Mask::when((Index::query() - Index::key()).at_most(Index::head() * 2));
/// x.attention(&x, &x, &Attention::new().mask(one))?;
/// # Ok::<(), knotwork_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Mask {
    pub(super) condition: Condition,
    /// What is wrong with an argument; `attention` says it.
    pub(super) fault: Option<String>,
}

/// A count as i32: no position comes near the largest.
fn count(n: usize) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX / 4).min(i32::MAX / 4)
}

impl Mask {
    /// Wherever the condition holds.
    #[must_use]
    pub fn when(condition: Condition) -> Self {
        Self { condition, fault: None }
    }

    fn refused(fault: &str) -> Self {
        Self { condition: Condition::truth(false), fault: Some(fault.into()) }
    }

    /// Every key.
    #[must_use]
    pub fn full() -> Self {
        Self::when(Condition::truth(true))
    }

    /// Keys up to the query's own position: k ≤ q.
    #[must_use]
    pub fn causal() -> Self {
        Self::when(Index::key().at_most(Index::query()))
    }

    /// Keys near the query: q − left ≤ k ≤ q + right.
    #[must_use]
    pub fn window(left: usize, right: usize) -> Self {
        let (k, q) = (Index::key, Index::query);
        Self::when(k().at_least(q() - count(left)) & k().at_most(q() + count(right)))
    }

    /// The first n keys, for every query from position 0 on: k < n and q ≥ 0.
    #[must_use]
    pub fn prefix(n: usize) -> Self {
        Self::when(Index::key().less(count(n)) & Index::query().at_least(0))
    }

    /// Every n-th key on either side of the query, its own included: n divides q − k. `attention` refuses n = 0.
    #[must_use]
    pub fn strided(n: usize) -> Self {
        if n == 0 {
            return Self::refused("strided(0): the stride must be at least 1");
        }
        Self::when(((Index::query() - Index::key()) % count(n)).equal(0))
    }

    /// `width` keys on either side of the query and its own, `dilation` apart: |q − k| ≤ width · dilation and dilation
    /// divides q − k. `attention` refuses a dilation of 0.
    #[must_use]
    pub fn dilated_window(width: usize, dilation: usize) -> Self {
        if dilation == 0 {
            return Self::refused("dilated_window with dilation 0: it must be at least 1");
        }
        let distance = || Index::query() - Index::key();
        let far = count(width.saturating_mul(dilation));
        Self::when(distance().abs().at_most(far) & (distance() % count(dilation)).equal(0))
    }

    /// Keys of the query's own document: `document` `[B, Lk]` (i32 or u32) numbers the document of each position. A query
    /// before position 0 has none.
    #[must_use]
    pub fn document(document: &Tensor) -> Self {
        let of = |position| Index::look(document, Role::Document, [Index::batch(), position]);
        Self::when(of(Index::key()).equal(of(Index::query())) & Index::query().at_least(0))
    }

    /// The first `lengths[b]` keys of sequence b: `lengths` `[B]` (i32 or u32). Padding of ragged sequences is hidden, and tiles
    /// that hold nothing else cost nothing; whatever lies there is read into no sum. A length above Lk hides nothing, one below
    /// 1 everything. For padded queries too, add `Index::row()` below the lengths of the queries by [`when`](Self::when).
    ///
    /// ```
    /// # use knotwork_core::{DType, Graph, ops::{Attention, Mask}};
    /// let g = Graph::new();
    /// let x = g.input("x", DType::F32, [3, 2, 16, 8])?;
    /// let lengths = g.input("lengths", DType::I32, [3])?;
    /// x.attention(&x, &x, &Attention::new().mask(Mask::lengths(&lengths) & Mask::causal()))?;
    /// # Ok::<(), knotwork_core::Error>(())
    /// ```
    #[must_use]
    pub fn lengths(lengths: &Tensor) -> Self {
        Self::when(Index::key().less(Index::look(lengths, Role::Lengths, [Index::batch()])))
    }

    /// Whole blocks of `size` queries by `size` keys: `blocks` `[H or 1, ⌈Lq/size⌉, ⌈Lk/size⌉]` (truth values, or integers
    /// that count as true unless 0). Rows are counted by the query's own index. `attention` refuses a size of 0.
    #[must_use]
    pub fn block(size: usize, blocks: &Tensor) -> Self {
        if size == 0 {
            return Self::refused("block size 0: it must be at least 1");
        }
        let n = count(size);
        let at = [Index::head(), Index::row() / n, Index::key() / n];
        Self::when(Index::look(blocks, Role::Block(size), at).differs(0))
    }

    /// What this and the other allow both: the same as `self & other`.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        self & other
    }

    /// What this or the other allows: the same as `self | other`.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        self | other
    }
}

impl Default for Mask {
    fn default() -> Self {
        Self::full()
    }
}

impl BitAnd for Mask {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self { condition: self.condition & other.condition, fault: self.fault.or(other.fault) }
    }
}

impl BitOr for Mask {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self { condition: self.condition | other.condition, fault: self.fault.or(other.fault) }
    }
}

impl Not for Mask {
    type Output = Self;

    fn not(self) -> Self {
        Self { condition: !self.condition, fault: self.fault }
    }
}

impl From<Condition> for Mask {
    fn from(condition: Condition) -> Self {
        Self::when(condition)
    }
}
