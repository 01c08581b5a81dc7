//! Integer expressions over the places of queries and keys. A mask is one such expression, given once: the CPU evaluates
//! it, and kernels get it as WGSL.
//!
//! Arithmetic is that of i32 and wraps. Division truncates toward zero and the remainder has the sign of the dividend;
//! both are 0 where the divisor is 0.

use std::{
    fmt,
    ops::{Add, BitAnd, BitOr, Div, Mul, Neg, Not, Rem, Sub},
    sync::Arc,
};

use crate::graph::Tensor;

/// What an expression can ask about its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Variable {
    /// The key position at which the query stands: its index plus Lk − Lq.
    Query,
    Key,
    /// The query's own index.
    Row,
    Head,
    Batch,
    Queries,
    Keys,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arithmetic {
    Add,
    Sub,
    Mul,
    Div,
    Rem,
    Min,
    Max,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Less,
    AtMost,
    Equal,
}

/// What the shape of a tensor in a mask must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Any, of up to four dimensions.
    Values,
    /// [B, Lk]
    Document,
    /// [B]
    Lengths,
    /// [H or 1, ⌈Lq/s⌉, ⌈Lk/s⌉]
    Block(usize),
}

/// A tensor that an expression looks values up in.
#[derive(Clone, Debug)]
pub(super) enum Table {
    /// As the user gives it.
    Tensor(Tensor, Role),
    /// Its number among the operation's tables.
    Slot(usize),
}

#[derive(Clone, Debug)]
pub(super) enum Expression {
    Variable(Variable),
    Constant(i32),
    Arithmetic(Arithmetic, Part, Part),
    Abs(Part),
    Value(Table, Vec<Part>),
    Truth(bool),
    Compare(Comparison, Part, Part),
    And(Part, Part),
    Or(Part, Part),
    Not(Part),
}

/// A node and the number of nodes under it, written out.
#[derive(Clone, Debug)]
pub(super) struct Part(Arc<(Expression, usize)>);

impl Part {
    pub fn new(expression: Expression) -> Self {
        let size = expression.parts().fold(1usize, |n, p| n.saturating_add(p.size()));
        Self(Arc::new((expression, size)))
    }

    pub fn expression(&self) -> &Expression {
        &self.0.0
    }

    pub fn size(&self) -> usize {
        self.0.1
    }

    /// Whether its value may follow a variable.
    pub fn mentions(&self, variable: Variable) -> bool {
        matches!(self.expression(), Expression::Variable(v) if *v == variable)
            || self.expression().parts().any(|p| p.mentions(variable))
    }

    /// The same with tensors replaced by their numbers in `tables`, which grows by those that it has not.
    pub fn resolve(&self, tables: &mut Vec<(Tensor, Role)>) -> Self {
        use Expression as E;
        Self::new(match self.expression() {
            E::Arithmetic(op, a, b) => E::Arithmetic(*op, a.resolve(tables), b.resolve(tables)),
            E::Abs(a) => E::Abs(a.resolve(tables)),
            E::Compare(op, a, b) => E::Compare(*op, a.resolve(tables), b.resolve(tables)),
            E::And(a, b) => E::And(a.resolve(tables), b.resolve(tables)),
            E::Or(a, b) => E::Or(a.resolve(tables), b.resolve(tables)),
            E::Not(a) => E::Not(a.resolve(tables)),
            E::Value(Table::Tensor(tensor, role), at) => {
                let at = at.iter().map(|a| a.resolve(tables)).collect();
                let same = |(t, r): &(Tensor, Role)| t.id() == tensor.id() && r == role;
                let slot = tables.iter().position(same).unwrap_or_else(|| {
                    tables.push((tensor.clone(), *role));
                    tables.len() - 1
                });
                E::Value(Table::Slot(slot), at)
            }
            leaf => leaf.clone(),
        })
    }
}

impl Expression {
    fn parts(&self) -> impl Iterator<Item = &Part> {
        let (pair, list): ([Option<&Part>; 2], &[Part]) = match self {
            Self::Arithmetic(_, a, b) | Self::Compare(_, a, b) | Self::And(a, b) | Self::Or(a, b) => {
                ([Some(a), Some(b)], &[])
            }
            Self::Abs(a) | Self::Not(a) => ([Some(a), None], &[]),
            Self::Value(_, at) => ([None, None], at),
            _ => ([None, None], &[]),
        };
        pair.into_iter().flatten().chain(list)
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.expression() {
            Expression::Variable(v) => write!(f, "{}", format!("{v:?}").to_lowercase()),
            Expression::Constant(c) => write!(f, "{c}"),
            Expression::Arithmetic(op, a, b) => write!(f, "{op:?}({a}, {b})"),
            Expression::Abs(a) => write!(f, "Abs({a})"),
            Expression::Value(Table::Slot(slot), at) => {
                write!(f, "t{slot}{:?}", at.iter().map(ToString::to_string).collect::<Vec<_>>())
            }
            Expression::Value(Table::Tensor(t, _), at) => {
                write!(f, "{t:?}{:?}", at.iter().map(ToString::to_string).collect::<Vec<_>>())
            }
            Expression::Truth(t) => write!(f, "{t}"),
            Expression::Compare(op, a, b) => write!(f, "{op:?}({a}, {b})"),
            Expression::And(a, b) => write!(f, "({a} & {b})"),
            Expression::Or(a, b) => write!(f, "({a} | {b})"),
            Expression::Not(a) => write!(f, "!{a}"),
        }
    }
}

/// A whole number that depends on the query and the key: made of [`query`](Self::query), [`key`](Self::key) and the
/// like, i32 constants, `+ - * / %`, [`min`](Self::min), [`max`](Self::max) and [`abs`](Self::abs).
///
/// It is an i32 and wraps. `/` truncates toward zero, `%` has the sign of its left side; both are 0 where the right side
/// is 0.
///
/// ```
/// use knotwork_core::ops::{Index, Mask};
/// // Every query sees itself and keys whose distance is a multiple of 3.
/// let far = (Index::query() - Index::key()).abs();
/// let mask = Mask::when((far % 3).equal(0));
/// # let _ = mask;
/// ```
#[derive(Clone, Debug)]
pub struct Index(pub(super) Part);

/// Something that holds or not for a query and a key: a comparison of [`Index`] values, joined with `&`, `|` and `!`.
#[derive(Clone, Debug)]
pub struct Condition(pub(super) Part);

impl Index {
    fn of(expression: Expression) -> Self {
        Self(Part::new(expression))
    }

    /// The key position at which the query stands: its own index plus Lk − Lq.
    #[must_use]
    pub fn query() -> Self {
        Self::of(Expression::Variable(Variable::Query))
    }

    /// The position of the key.
    #[must_use]
    pub fn key() -> Self {
        Self::of(Expression::Variable(Variable::Key))
    }

    /// The query's own index, from 0.
    #[must_use]
    pub fn row() -> Self {
        Self::of(Expression::Variable(Variable::Row))
    }

    /// The query head.
    #[must_use]
    pub fn head() -> Self {
        Self::of(Expression::Variable(Variable::Head))
    }

    /// The index in the batch.
    #[must_use]
    pub fn batch() -> Self {
        Self::of(Expression::Variable(Variable::Batch))
    }

    /// The number of queries, Lq.
    #[must_use]
    pub fn queries() -> Self {
        Self::of(Expression::Variable(Variable::Queries))
    }

    /// The number of keys, Lk.
    #[must_use]
    pub fn keys() -> Self {
        Self::of(Expression::Variable(Variable::Keys))
    }

    /// An element of a tensor of i32, u32 or truth values (0 and 1) with one to four dimensions. An index outside is
    /// clamped to the nearest inside.
    ///
    /// ```
    /// use knotwork_core::{DType, Graph, ops::{Index, Mask}};
    /// let g = Graph::new();
    /// let length = g.input("length", DType::I32, [8])?;
    /// // Sequence b of the batch sees its last length[b] keys only.
    /// let first = Index::keys() - Index::value(&length, [Index::batch()]);
    /// let mask = Mask::when(Index::key().at_least(first));
    /// # let _ = mask;
    /// # Ok::<(), knotwork_core::Error>(())
    /// ```
    #[must_use]
    pub fn value(tensor: &Tensor, at: impl IntoIterator<Item = Self>) -> Self {
        Self::look(tensor, Role::Values, at)
    }

    pub(super) fn look(tensor: &Tensor, role: Role, at: impl IntoIterator<Item = Self>) -> Self {
        let at = at.into_iter().map(|i| i.0).collect();
        Self::of(Expression::Value(Table::Tensor(tensor.clone(), role), at))
    }

    fn with(self, op: Arithmetic, other: impl Into<Self>) -> Self {
        Self::of(Expression::Arithmetic(op, self.0, other.into().0))
    }

    /// The smaller of both.
    #[must_use]
    pub fn min(self, other: impl Into<Self>) -> Self {
        self.with(Arithmetic::Min, other)
    }

    /// The larger of both.
    #[must_use]
    pub fn max(self, other: impl Into<Self>) -> Self {
        self.with(Arithmetic::Max, other)
    }

    /// Without its sign; the smallest i32 stays as it is.
    #[must_use]
    pub fn abs(self) -> Self {
        Self::of(Expression::Abs(self.0))
    }

    fn compare(self, op: Comparison, other: impl Into<Self>) -> Condition {
        Condition(Part::new(Expression::Compare(op, self.0, other.into().0)))
    }

    /// self < other
    #[must_use]
    pub fn less(self, other: impl Into<Self>) -> Condition {
        self.compare(Comparison::Less, other)
    }

    /// self ≤ other
    #[must_use]
    pub fn at_most(self, other: impl Into<Self>) -> Condition {
        self.compare(Comparison::AtMost, other)
    }

    /// self > other
    #[must_use]
    pub fn greater(self, other: impl Into<Self>) -> Condition {
        !self.at_most(other)
    }

    /// self ≥ other
    #[must_use]
    pub fn at_least(self, other: impl Into<Self>) -> Condition {
        !self.less(other)
    }

    /// self = other
    #[must_use]
    pub fn equal(self, other: impl Into<Self>) -> Condition {
        self.compare(Comparison::Equal, other)
    }

    /// self ≠ other
    #[must_use]
    pub fn differs(self, other: impl Into<Self>) -> Condition {
        !self.equal(other)
    }
}

impl From<i32> for Index {
    fn from(value: i32) -> Self {
        Self::of(Expression::Constant(value))
    }
}

macro_rules! arithmetic {
    ($($name:ident $method:ident),*) => {$(
        impl<T: Into<Index>> $name<T> for Index {
            type Output = Self;

            fn $method(self, other: T) -> Self {
                self.with(Arithmetic::$name, other)
            }
        }
    )*};
}

arithmetic!(Add add, Sub sub, Mul mul, Div div, Rem rem);

impl Neg for Index {
    type Output = Self;

    fn neg(self) -> Self {
        Self::from(0) - self
    }
}

impl Condition {
    pub(super) fn truth(value: bool) -> Self {
        Self(Part::new(Expression::Truth(value)))
    }
}

impl BitAnd for Condition {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self(Part::new(Expression::And(self.0, other.0)))
    }
}

impl BitOr for Condition {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(Part::new(Expression::Or(self.0, other.0)))
    }
}

impl Not for Condition {
    type Output = Self;

    fn not(self) -> Self {
        Self(Part::new(Expression::Not(self.0)))
    }
}
