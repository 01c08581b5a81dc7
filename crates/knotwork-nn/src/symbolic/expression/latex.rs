//! Formulas in LaTeX.

use super::{
    super::{
        number,
        spelling::{Binding, Spelling},
    },
    Expression,
    write::{Style, write},
};

struct Latex;

/// Names that are Greek letters of LaTeX.
const GREEK: [&str; 22] = [
    "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "mu",
    "nu", "xi", "rho", "sigma", "tau", "upsilon", "phi", "chi", "psi", "omega",
];

impl Style for Latex {
    fn number(&self, v: f64) -> String {
        let text = number::exact(v);
        if v.is_nan() {
            return r"\mathrm{NaN}".into();
        }
        if v.is_infinite() {
            return r"\infty".into();
        }
        match text.split_once('e') {
            Some((mantissa, exponent)) => format!(r"{mantissa} \cdot 10^{{{exponent}}}"),
            None => text,
        }
    }

    fn variable(&self, name: &str) -> String {
        let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
        let index = &name[stem.len()..];
        let stem = stem.strip_suffix('_').filter(|s| !s.is_empty() && !index.is_empty()).unwrap_or(stem);
        let letter = stem.chars().count() == 1 && stem.chars().all(char::is_alphabetic);
        let symbol = if letter {
            stem.to_owned()
        } else if GREEK.contains(&stem) {
            format!(r"\{stem}")
        } else {
            // A word, digits and all.
            return format!(r"\mathrm{{{}}}", escaped(name));
        };
        if index.is_empty() { symbol } else { format!("{symbol}_{{{index}}}") }
    }

    fn pi(&self, numerator: u32, denominator: u32) -> (String, Binding) {
        let top = if numerator == 1 { r"\pi".into() } else { format!(r"{numerator} \pi") };
        match (numerator, denominator) {
            (1, 1) => (top, Binding::Atom),
            (_, 1) => (top, Binding::Product),
            _ => (format!(r"\frac{{{top}}}{{{denominator}}}"), Binding::Product),
        }
    }

    fn times(&self, left: &str, right: &str) -> String {
        // Two numbers side by side would read as one.
        let dot = if right.starts_with(|c: char| c.is_ascii_digit()) { r" \cdot " } else { " " };
        format!("{left}{dot}{right}")
    }

    fn template<'a>(&self, spelling: &'a Spelling) -> (&'a str, Binding) {
        (&spelling.latex, spelling.binding)
    }

    fn brackets(&self) -> [&'static str; 2] {
        [r"\left(", r"\right)"]
    }
}

/// A word with what LaTeX would take for itself escaped.
fn escaped(word: &str) -> String {
    let mut out = String::new();
    for c in word.chars() {
        match c {
            '_' | '%' | '&' | '#' | '$' | '{' | '}' => out.extend(['\\', c]),
            ' ' => out.push_str(r"\ "),
            '\\' => out.push_str(r"\backslash "),
            '^' => out.push_str(r"\hat{\ }"),
            '~' => out.push_str(r"\sim "),
            c => out.push(c),
        }
    }
    out
}

impl Expression {
    /// The formula in LaTeX's mathematical mode: `x1` as x with the index 1, Greek letters by their names, words upright.
    #[must_use]
    pub fn to_latex(&self) -> String {
        write(&Latex, self).0
    }
}
