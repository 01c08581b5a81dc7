//! Mask expressions on the CPU, a whole row of keys at a time.

use std::ops::Range;

use super::index::{Arithmetic, Comparison, Expression, Part, Table, Variable};

/// Where a query is, and how many there are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub batch: usize,
    pub head: usize,
    pub row: usize,
    pub queries: usize,
    pub keys: usize,
}

/// The elements of a tensor that an expression looks up.
#[derive(Clone, Debug)]
pub(super) struct TableData {
    pub shape: Vec<usize>,
    pub data: Vec<i32>,
}

impl TableData {
    /// The element at indices that are clamped to the shape; 0 where there is none.
    fn at(&self, at: impl Iterator<Item = i32>) -> i32 {
        let mut index = 0;
        for (i, &n) in at.zip(&self.shape) {
            index = index * n + usize::try_from(i).unwrap_or(0).min(n.saturating_sub(1));
        }
        self.data.get(index).copied().unwrap_or(0)
    }
}

impl Place {
    fn variable(&self, v: Variable) -> Option<i32> {
        Some(match v {
            Variable::Query => (self.row + self.keys) as i32 - self.queries as i32,
            Variable::Key => return None,
            Variable::Row => self.row as i32,
            Variable::Head => self.head as i32,
            Variable::Batch => self.batch as i32,
            Variable::Queries => self.queries as i32,
            Variable::Keys => self.keys as i32,
        })
    }
}

#[inline(always)]
fn arithmetic(op: Arithmetic, a: i32, b: i32) -> i32 {
    match op {
        Arithmetic::Add => a.wrapping_add(b),
        Arithmetic::Sub => a.wrapping_sub(b),
        Arithmetic::Mul => a.wrapping_mul(b),
        Arithmetic::Div if b == 0 => 0,
        Arithmetic::Div => a.wrapping_div(b),
        Arithmetic::Rem if b == 0 => 0,
        Arithmetic::Rem => a.wrapping_rem(b),
        Arithmetic::Min => a.min(b),
        Arithmetic::Max => a.max(b),
    }
}

/// The values for a range of keys: one number where they are all the same.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Lane {
    Same(i32),
    Each(Vec<i32>),
}

impl Lane {
    pub fn get(&self, key: usize) -> i32 {
        match self {
            Self::Same(v) => *v,
            Self::Each(v) => v[key],
        }
    }

    fn map(self, f: impl Fn(i32) -> i32) -> Self {
        match self {
            Self::Same(v) => Self::Same(f(v)),
            Self::Each(mut v) => {
                v.iter_mut().for_each(|x| *x = f(*x));
                Self::Each(v)
            }
        }
    }

    fn zip(self, other: Self, f: impl Fn(i32, i32) -> i32) -> Self {
        match (self, other) {
            (a, Self::Same(b)) => a.map(|a| f(a, b)),
            (Self::Same(a), b) => b.map(|b| f(a, b)),
            (Self::Each(mut a), Self::Each(b)) => {
                a.iter_mut().zip(b).for_each(|(a, b)| *a = f(*a, b));
                Self::Each(a)
            }
        }
    }
}

/// The values for keys 0..`place.keys`.
pub(super) fn row(part: &Part, place: &Place, tables: &[TableData]) -> Lane {
    over(part, place, 0..place.keys, tables)
}

/// The values for a range of keys; the lane counts from its first.
pub(super) fn over(part: &Part, place: &Place, keys: Range<usize>, tables: &[TableData]) -> Lane {
    let go = |p: &Part| over(p, place, keys.clone(), tables);
    match part.expression() {
        Expression::Variable(v) => match place.variable(*v) {
            Some(v) => Lane::Same(v),
            None => Lane::Each((keys.start as i32..keys.end as i32).collect()),
        },
        Expression::Constant(c) => Lane::Same(*c),
        // The match on the operator stands outside the loops.
        Expression::Arithmetic(op, a, b) => {
            let (a, b) = (go(a), go(b));
            match op {
                Arithmetic::Add => a.zip(b, |a, b| arithmetic(Arithmetic::Add, a, b)),
                Arithmetic::Sub => a.zip(b, |a, b| arithmetic(Arithmetic::Sub, a, b)),
                op => a.zip(b, |a, b| arithmetic(*op, a, b)),
            }
        }
        Expression::Abs(a) => go(a).map(i32::wrapping_abs),
        Expression::Value(Table::Slot(slot), at) => {
            let Some(table) = tables.get(*slot) else { return Lane::Same(0) };
            let at: Vec<Lane> = at.iter().map(go).collect();
            let look = |key: usize| table.at(at.iter().map(|lane| lane.get(key)));
            if at.iter().all(|lane| matches!(lane, Lane::Same(_))) {
                Lane::Same(look(0))
            } else {
                Lane::Each((0..keys.len()).map(look).collect())
            }
        }
        Expression::Value(Table::Tensor(..), _) => Lane::Same(0),
        Expression::Truth(t) => Lane::Same(i32::from(*t)),
        Expression::Compare(op, a, b) => {
            let (a, b) = (go(a), go(b));
            match op {
                Comparison::Less => a.zip(b, |a, b| i32::from(a < b)),
                Comparison::AtMost => a.zip(b, |a, b| i32::from(a <= b)),
                Comparison::Equal => a.zip(b, |a, b| i32::from(a == b)),
            }
        }
        Expression::And(a, b) => match go(a) {
            Lane::Same(0) => Lane::Same(0),
            a => a.zip(go(b), |a, b| a & b),
        },
        Expression::Or(a, b) => match go(a) {
            Lane::Same(1) => Lane::Same(1),
            a => a.zip(go(b), |a, b| a | b),
        },
        Expression::Not(a) => go(a).map(|a| 1 - a),
    }
}
