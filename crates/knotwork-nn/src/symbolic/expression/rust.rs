//! Formulas as Rust functions.

use std::{collections::BTreeSet, fmt::Write};

use knotwork_core::Site;

use super::{
    super::{
        SymbolicError,
        spelling::{Binding, Spelling},
    },
    Expression,
    write::{Style, write},
};

/// Words that no argument can be called; `formula` and the rest of the file's items are kept apart by their case of use.
const KEYWORDS: [&str; 52] = [
    "_", "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate", "do",
    "dyn", "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop",
    "macro", "match", "mod", "move", "mut", "override", "priv", "pub", "ref", "return", "self", "static",
    "struct", "super", "trait", "true", "try", "type", "typeof", "unsafe", "unsized", "use", "virtual",
    "where", "while", "yield",
];

struct Rust {
    /// The variables and the arguments that they are.
    names: Vec<(String, String)>,
}

impl Style for Rust {
    fn number(&self, v: f64) -> String {
        match v {
            v if v.is_nan() => "f64::NAN".into(),
            v if v.is_infinite() => "f64::INFINITY".into(),
            // Always with a point or an exponent.
            v => format!("{v:?}"),
        }
    }

    fn variable(&self, name: &str) -> String {
        self.names.iter().find(|n| n.0 == name).map_or_else(|| name.to_owned(), |n| n.1.clone())
    }

    fn pi(&self, numerator: u32, denominator: u32) -> (String, Binding) {
        const PI: &str = "std::f64::consts::PI";
        let top = if numerator == 1 { PI.into() } else { format!("{numerator}.0 * {PI}") };
        match (numerator, denominator) {
            (1, 1) => (top, Binding::Atom),
            (_, 1) => (top, Binding::Product),
            _ => (format!("{top} / {denominator}.0"), Binding::Product),
        }
    }

    fn times(&self, left: &str, right: &str) -> String {
        format!("{left} * {right}")
    }

    fn template<'a>(&self, spelling: &'a Spelling) -> (&'a str, Binding) {
        (&spelling.rust, spelling.rust_binding)
    }

    fn receiver(&self, number: String) -> String {
        // A method needs the number's type.
        if number.ends_with(|c: char| c.is_ascii_digit()) { format!("{number}_f64") } else { number }
    }
}

impl Expression {
    /// The formula as a Rust function of `f64`, one argument an input, in the order of `inputs`; items that it needs (`sgn`,
    /// `sigmoid`, …) follow. Inputs whose names are no Rust names become some: `fuel use` is `fuel_use`. An input that the
    /// formula does not use begins with `_`.
    ///
    /// ```
    /// use knotwork_nn::symbolic::{Expression, Library};
    /// let e = Expression::apply(&Library::standard().get("sin")?, Expression::variable("x1") * 2.0.into());
    /// let source = e.to_rust("formula", &["x1", "x2"])?;
    /// assert_eq!(source, "fn formula(x1: f64, _x2: f64) -> f64 {\n    (x1 * 2.0).sin()\n}\n");
    /// # Ok::<(), knotwork_nn::symbolic::SymbolicError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`SymbolicError::MissingVariable`] for a variable that is no input; [`SymbolicError::Setting`] where `name` is no Rust
    /// name.
    #[track_caller]
    pub fn to_rust(&self, name: &str, inputs: &[&str]) -> Result<String, SymbolicError> {
        let site = Site::here();
        if identifier(name) != name {
            return Err(SymbolicError::Setting {
                what: format!("`{name}` is no name for a Rust function"),
                site,
            });
        }
        let used = self.variables();
        if let Some(variable) = used.iter().find(|v| !inputs.contains(v)) {
            let known = inputs.iter().map(|i| (*i).to_owned()).collect();
            return Err(SymbolicError::MissingVariable { variable: (*variable).to_owned(), known, site });
        }
        let mut style = Rust { names: Vec::new() };
        for input in inputs {
            let stem =
                if used.contains(input) { identifier(input) } else { format!("_{}", identifier(input)) };
            let taken = |n: &String| style.names.iter().any(|t| t.1 == *n);
            let numbered = (2..).map(|k| format!("{stem}_{k}"));
            let own = std::iter::once(stem.clone()).chain(numbered).find(|n| !taken(n)).unwrap_or(stem);
            style.names.push(((*input).to_owned(), own));
        }
        let (body, _) = write(&style, self);
        let arguments: Vec<String> = style.names.iter().map(|n| format!("{}: f64", n.1)).collect();
        let mut source = format!("fn {name}({}) -> f64 {{\n    {body}\n}}\n", arguments.join(", "));
        let mut items = BTreeSet::new();
        self.items(&mut items);
        for item in items {
            // Writing to a string does not fail.
            let _ = write!(source, "\n{}\n", item.trim_end());
        }
        Ok(source)
    }

    fn items<'a>(&'a self, into: &mut BTreeSet<&'a str>) {
        match self {
            Self::Sum(parts) | Self::Product(parts) => parts.iter().for_each(|p| p.items(into)),
            Self::Apply(f, argument) => {
                if !f.spelling().rust_items.trim().is_empty() {
                    into.insert(&f.spelling().rust_items);
                }
                argument.items(into);
            }
            _ => {}
        }
    }
}

/// The Rust name nearest to a name.
fn identifier(name: &str) -> String {
    let mut out: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' }).collect();
    if !out.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') || out == "_" {
        out.insert(0, 'v');
    }
    if KEYWORDS.contains(&out.as_str()) || out == "Self" {
        out.push('_');
    }
    out
}
