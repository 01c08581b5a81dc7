//! What a mask is over a rectangle of queries and keys, from the bounds of its parts rather than pair by pair.

use std::ops::Range;

use super::{
    evaluate::TableData,
    index::{Arithmetic, Comparison, Expression, Part, Table, Variable},
};

/// Tables are looked through up to so many elements; beyond, nothing is known of them.
const SCAN: usize = 4096;

/// The least and the largest value.
type Bounds = (i64, i64);

const ANY: Bounds = (i32::MIN as i64, i32::MAX as i64);

/// Queries and keys of one head of one batch, neither range empty.
#[derive(Clone, Debug)]
pub(super) struct Area {
    pub batch: usize,
    pub head: usize,
    pub rows: Range<usize>,
    pub keys: Range<usize>,
    /// How many queries and keys there are in all.
    pub queries: usize,
    pub all_keys: usize,
}

/// Whether the condition holds for all pairs (`Some(true)`) or none (`Some(false)`); `None` where the bounds do not say.
pub(super) fn certain(part: &Part, area: &Area, tables: &[TableData]) -> Option<bool> {
    match bounds(part, area, tables) {
        (0, 0) => Some(false),
        (low, high) if low > 0 || high < 0 => Some(true),
        _ => None,
    }
}

/// Whether the value depends on the variable.
pub(super) fn mentions(part: &Part, variable: Variable) -> bool {
    match part.expression() {
        Expression::Variable(v) => *v == variable,
        Expression::Constant(_) | Expression::Truth(_) => false,
        Expression::Abs(a) | Expression::Not(a) => mentions(a, variable),
        Expression::Arithmetic(_, a, b)
        | Expression::Compare(_, a, b)
        | Expression::And(a, b)
        | Expression::Or(a, b) => mentions(a, variable) || mentions(b, variable),
        Expression::Value(_, at) => at.iter().any(|a| mentions(a, variable)),
    }
}

/// Anything, where the result may leave i32 and wrap.
fn fit(low: i64, high: i64) -> Bounds {
    if low < ANY.0 || high > ANY.1 { ANY } else { (low, high) }
}

fn range(range: &Range<usize>, shift: i64) -> Bounds {
    fit(range.start as i64 + shift, range.end as i64 - 1 + shift)
}

fn remainder((low, high): Bounds, by: i64) -> Bounds {
    let n = by.abs();
    if n == 0 {
        return (0, 0);
    }
    if low / n == high / n && (low >= 0 || high <= 0) {
        return (low % n, high % n);
    }
    // The sign is the dividend's.
    (if low < 0 { (1 - n).max(low) } else { 0 }, if high > 0 { (n - 1).min(high) } else { 0 })
}

fn arithmetic(op: Arithmetic, a: Bounds, b: Bounds) -> Bounds {
    match op {
        Arithmetic::Add => fit(a.0 + b.0, a.1 + b.1),
        Arithmetic::Sub => fit(a.0 - b.1, a.1 - b.0),
        Arithmetic::Mul => {
            let all = [a.0 * b.0, a.0 * b.1, a.1 * b.0, a.1 * b.1];
            fit(all.into_iter().fold(i64::MAX, i64::min), all.into_iter().fold(i64::MIN, i64::max))
        }
        Arithmetic::Min => (a.0.min(b.0), a.1.min(b.1)),
        Arithmetic::Max => (a.0.max(b.0), a.1.max(b.1)),
        Arithmetic::Div | Arithmetic::Rem if b.0 != b.1 => ANY,
        Arithmetic::Div => match b.0 {
            0 => (0, 0),
            n if n > 0 => (a.0 / n, a.1 / n),
            n => fit(a.1 / n, a.0 / n),
        },
        Arithmetic::Rem => remainder(a, b.0),
    }
}

fn compare(op: Comparison, a: Bounds, b: Bounds) -> Bounds {
    let (always, never) = match op {
        Comparison::Less => (a.1 < b.0, a.0 >= b.1),
        Comparison::AtMost => (a.1 <= b.0, a.0 > b.1),
        Comparison::Equal => (a.0 == a.1 && a == b, a.1 < b.0 || b.1 < a.0),
    };
    (i64::from(always), i64::from(!never))
}

/// The bounds of the elements at indices within bounds, which are clamped to the shape.
fn look(table: &TableData, at: &[Bounds]) -> Bounds {
    if at.len() != table.shape.len() || table.shape.contains(&0) {
        return ANY;
    }
    let clamp = |(low, high): Bounds, n: usize| {
        let at = |i: i64| usize::try_from(i).unwrap_or(0).min(n - 1);
        at(low)..at(high) + 1
    };
    let ranges: Vec<Range<usize>> = at.iter().zip(&table.shape).map(|(&b, &n)| clamp(b, n)).collect();
    let count = ranges.iter().fold(1usize, |n, r| n.saturating_mul(r.len()));
    if count > SCAN {
        return ANY;
    }
    let mut found = (i64::MAX, i64::MIN);
    for n in 0..count {
        let (mut rest, mut index, mut step) = (n, 0, 1);
        for (range, size) in ranges.iter().zip(&table.shape).rev() {
            index += (range.start + rest % range.len()) * step;
            rest /= range.len();
            step *= size;
        }
        let value = i64::from(table.data.get(index).copied().unwrap_or(0));
        found = (found.0.min(value), found.1.max(value));
    }
    found
}

fn bounds(part: &Part, area: &Area, tables: &[TableData]) -> Bounds {
    let go = |p: &Part| bounds(p, area, tables);
    let one = |v: usize| fit(v as i64, v as i64);
    match part.expression() {
        Expression::Variable(v) => match v {
            Variable::Query => range(&area.rows, area.all_keys as i64 - area.queries as i64),
            Variable::Key => range(&area.keys, 0),
            Variable::Row => range(&area.rows, 0),
            Variable::Head => one(area.head),
            Variable::Batch => one(area.batch),
            Variable::Queries => one(area.queries),
            Variable::Keys => one(area.all_keys),
        },
        Expression::Constant(c) => (i64::from(*c), i64::from(*c)),
        Expression::Arithmetic(op, a, b) => arithmetic(*op, go(a), go(b)),
        Expression::Abs(a) => match go(a) {
            (low, _) if low == ANY.0 => ANY,
            (low, high) if low >= 0 => (low, high),
            (low, high) if high <= 0 => (-high, -low),
            (low, high) => (0, high.max(-low)),
        },
        Expression::Value(Table::Slot(slot), at) => match tables.get(*slot) {
            Some(table) => look(table, &at.iter().map(go).collect::<Vec<_>>()),
            None => (0, 0),
        },
        Expression::Value(Table::Tensor(..), _) => (0, 0),
        Expression::Truth(t) => (i64::from(*t), i64::from(*t)),
        Expression::Compare(op, a, b) => compare(*op, go(a), go(b)),
        Expression::And(a, b) => match go(a) {
            (0, 0) => (0, 0),
            a => arithmetic(Arithmetic::Min, a, go(b)),
        },
        Expression::Or(a, b) => match go(a) {
            (1, 1) => (1, 1),
            a => arithmetic(Arithmetic::Max, a, go(b)),
        },
        Expression::Not(a) => {
            let (low, high) = go(a);
            (1 - high, 1 - low)
        }
    }
}
