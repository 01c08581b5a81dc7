//! Formulas as text; the rules of brackets and signs that all spellings share.

use super::{
    super::{
        Function, number,
        spelling::{Binding, Spelling, fill},
        symmetry::Symmetry,
    },
    Expression,
};

/// One way to write.
pub(super) trait Style {
    /// A number from 0.
    fn number(&self, v: f64) -> String;
    /// A variable.
    fn variable(&self, name: &str) -> String;
    /// p π/q, p > 0.
    fn pi(&self, numerator: u32, denominator: u32) -> (String, Binding);
    /// Two factors side by side.
    fn times(&self, left: &str, right: &str) -> String;
    /// A function's template and how tightly it holds together.
    fn template<'a>(&self, spelling: &'a Spelling) -> (&'a str, Binding);
    /// A number as a function's argument.
    fn receiver(&self, number: String) -> String {
        number
    }
    /// Brackets.
    fn brackets(&self) -> [&'static str; 2] {
        ["(", ")"]
    }
}

pub(super) struct Text;

impl Style for Text {
    fn number(&self, v: f64) -> String {
        number::exact(v)
    }

    fn variable(&self, name: &str) -> String {
        name.into()
    }

    fn pi(&self, numerator: u32, denominator: u32) -> (String, Binding) {
        let top = if numerator == 1 { "pi".into() } else { format!("{numerator}*pi") };
        match (numerator, denominator) {
            (1, 1) => (top, Binding::Atom),
            (_, 1) => (top, Binding::Product),
            _ => (format!("{top}/{denominator}"), Binding::Product),
        }
    }

    fn times(&self, left: &str, right: &str) -> String {
        // 2/x, not 2*1/x.
        match right.strip_prefix("1/") {
            Some(below) => format!("{left}/{below}"),
            None => format!("{left}*{right}"),
        }
    }

    fn template<'a>(&self, spelling: &'a Spelling) -> (&'a str, Binding) {
        (&spelling.text, spelling.binding)
    }
}

impl Expression {
    /// The formula as text, numbers in full: `2*sin(3*x + 1) + 0.5`.
    #[must_use]
    pub fn to_text(&self) -> String {
        write(&Text, self).0
    }
}

/// The formula, and how tightly what is written holds together.
pub(super) fn write(style: &impl Style, e: &Expression) -> (String, Binding) {
    match e {
        Expression::Constant(v) if v.is_sign_negative() && !v.is_nan() => {
            (format!("-{}", style.number(-v)), Binding::Sum)
        }
        Expression::Constant(v) => (style.number(*v), Binding::Atom),
        Expression::Pi { numerator, denominator } => {
            let (text, binding) = style.pi(numerator.unsigned_abs(), *denominator);
            if *numerator < 0 { (format!("-{text}"), Binding::Sum) } else { (text, binding) }
        }
        Expression::Variable(name) => (style.variable(name), Binding::Atom),
        Expression::Sum(parts) => sum(style, parts),
        Expression::Product(parts) => product(style, parts),
        Expression::Apply(f, argument) => call(style, f, argument),
    }
}

fn bracketed(style: &impl Style, text: &str) -> String {
    let [open, close] = style.brackets();
    format!("{open}{text}{close}")
}

fn sum(style: &impl Style, parts: &[Expression]) -> (String, Binding) {
    match parts {
        [] => return (style.number(0.0), Binding::Atom),
        [one] => return write(style, one),
        _ => {}
    }
    let mut out = String::new();
    for part in parts {
        let (mut text, _) = write(style, part);
        if !out.is_empty() && matches!(part, Expression::Sum(inner) if inner.len() > 1) {
            text = bracketed(style, &text);
        }
        match (out.is_empty(), text.strip_prefix('-')) {
            (true, _) => out = text,
            (false, Some(positive)) => out = format!("{out} - {positive}"),
            (false, None) => out = format!("{out} + {text}"),
        }
    }
    (out, Binding::Sum)
}

fn product(style: &impl Style, parts: &[Expression]) -> (String, Binding) {
    match parts {
        [] => return (style.number(1.0), Binding::Atom),
        [one] => return write(style, one),
        _ => {}
    }
    let mut out = String::new();
    let mut minus = false;
    for (k, part) in parts.iter().enumerate() {
        let (mut text, binding) = write(style, part);
        let number = matches!(part, Expression::Constant(_) | Expression::Pi { .. });
        if k == 0 && number {
            if let Some(positive) = text.strip_prefix('-') {
                (minus, text) = (true, positive.to_owned());
            }
            if *part == Expression::Constant(-1.0) {
                continue;
            }
        } else if binding < Binding::Product || text.starts_with('-') {
            text = bracketed(style, &text);
        }
        out = if out.is_empty() { text } else { style.times(&out, &text) };
    }
    (if minus { format!("-{out}") } else { out }, Binding::Product)
}

fn call(style: &impl Style, f: &Function, argument: &Expression) -> (String, Binding) {
    if f.symmetry() == Symmetry::Linear {
        return write(style, argument);
    }
    let (mut text, binding) = write(style, argument);
    if matches!(argument, Expression::Constant(_)) {
        text = style.receiver(text);
    }
    let (template, own) = style.template(f.spelling());
    let [open, close] = style.brackets();
    (fill(template, &text, binding, open, close), own)
}
