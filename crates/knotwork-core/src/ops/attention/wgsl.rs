//! Mask expressions as WGSL.

use super::index::{Arithmetic, Comparison, Expression, Part, Table, Variable};

/// The function `allowed` of a mask. Constants go through `number`: WGSL would refuse an overflow between literals.
pub(super) fn allowed(mask: &Part) -> String {
    format!(
        "fn allowed(query: i32, key: i32, row: i32, head: i32, batch: i32) -> bool {{\n    return {};\n}}\n",
        text(mask)
    )
}

fn text(part: &Part) -> String {
    match part.expression() {
        Expression::Variable(v) => match v {
            Variable::Query => "query",
            Variable::Key => "key",
            Variable::Row => "row",
            Variable::Head => "head",
            Variable::Batch => "batch",
            Variable::Queries => "i32(params.queries)",
            Variable::Keys => "i32(params.keys)",
        }
        .into(),
        // The smallest i32 has no literal of its own.
        Expression::Constant(c) => format!("number(0x{c:08x}u)"),
        Expression::Arithmetic(op, a, b) => {
            let (a, b) = (text(a), text(b));
            match op {
                Arithmetic::Add => format!("({a} + {b})"),
                Arithmetic::Sub => format!("({a} - {b})"),
                Arithmetic::Mul => format!("({a} * {b})"),
                Arithmetic::Div => format!("quotient({a}, {b})"),
                Arithmetic::Rem => format!("remainder({a}, {b})"),
                Arithmetic::Min => format!("min({a}, {b})"),
                Arithmetic::Max => format!("max({a}, {b})"),
            }
        }
        Expression::Abs(a) => format!("abs({})", text(a)),
        Expression::Value(Table::Slot(slot), at) => {
            // Missing leading dimensions are 1.
            let mut indices = vec!["0".to_owned(); 4usize.saturating_sub(at.len())];
            indices.extend(at.iter().map(text));
            format!("table_value({slot}u, vec4<i32>({}))", indices.join(", "))
        }
        Expression::Value(Table::Tensor(..), _) => "0".into(),
        Expression::Truth(t) => t.to_string(),
        Expression::Compare(op, a, b) => {
            let sign = match op {
                Comparison::Less => "<",
                Comparison::AtMost => "<=",
                Comparison::Equal => "==",
            };
            format!("({} {sign} {})", text(a), text(b))
        }
        Expression::And(a, b) => format!("({} && {})", text(a), text(b)),
        Expression::Or(a, b) => format!("({} || {})", text(a), text(b)),
        Expression::Not(a) => format!("!{}", parenthesised(a)),
    }
}

fn parenthesised(part: &Part) -> String {
    format!("({})", text(part))
}

/// The function `allowed_range`: what a mask's predicate may be over ranges of queries and keys.
pub(super) fn allowed_range(mask: &Part) -> String {
    format!(
        "fn allowed_range(query: vec2<i32>, key: vec2<i32>, row: vec2<i32>, head: i32, batch: i32) -> vec2<i32> {{\n    \
         return {};\n}}\n",
        range(mask)
    )
}

fn range(part: &Part) -> String {
    let two = |name: &str, a: &Part, b: &Part| format!("{name}({}, {})", range(a), range(b));
    match part.expression() {
        Expression::Variable(Variable::Query | Variable::Key | Variable::Row) => text(part),
        Expression::Variable(_) | Expression::Constant(_) => format!("exactly({})", text(part)),
        Expression::Arithmetic(op, a, b) => {
            let name = match op {
                Arithmetic::Add => "range_add",
                Arithmetic::Sub => "range_sub",
                Arithmetic::Mul => "range_mul",
                Arithmetic::Div => "range_div",
                Arithmetic::Rem => "range_rem",
                Arithmetic::Min => "min",
                Arithmetic::Max => "max",
            };
            two(name, a, b)
        }
        Expression::Abs(a) => format!("range_abs({})", range(a)),
        Expression::Value(Table::Slot(slot), at) => {
            let mut indices = vec!["exactly(0)".to_owned(); 4usize.saturating_sub(at.len())];
            indices.extend(at.iter().map(range));
            format!("range_value({slot}u, {})", indices.join(", "))
        }
        Expression::Value(Table::Tensor(..), _) => "exactly(0)".into(),
        Expression::Truth(t) => format!("exactly({})", i32::from(*t)),
        Expression::Compare(op, a, b) => {
            let name = match op {
                Comparison::Less => "range_less",
                Comparison::AtMost => "range_at_most",
                Comparison::Equal => "range_equal",
            };
            two(name, a, b)
        }
        Expression::And(a, b) => two("min", a, b),
        Expression::Or(a, b) => two("max", a, b),
        Expression::Not(a) => format!("range_not({})", range(a)),
    }
}
