//! How a function of one variable is written.

/// Templates in which `{x}` stands for the argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Spelling {
    pub text: String,
    pub latex: String,
    pub rust: String,
    /// Rust items that the Rust form calls.
    pub rust_items: String,
    /// How tightly the text and the LaTeX hold together.
    pub binding: Binding,
    /// How tightly the Rust holds together.
    pub rust_binding: Binding,
}

/// How tightly what is written holds together, loosest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Binding {
    Sum,
    Product,
    Power,
    Atom,
}

impl Spelling {
    /// What stands for the argument.
    pub const ARGUMENT: &str = "{x}";

    pub fn call(name: &str) -> Self {
        let escaped = name.replace('_', r"\_");
        Self {
            text: format!("{name}({{x}})"),
            latex: format!(r"\operatorname{{{escaped}}}\left({{x}}\right)"),
            rust: format!("{name}({{x}})"),
            rust_items: String::new(),
            binding: Binding::Atom,
            rust_binding: Binding::Atom,
        }
    }

    pub fn new(text: &str, latex: &str, rust: &str, binding: Binding) -> Self {
        Self {
            text: text.into(),
            latex: latex.into(),
            rust: rust.into(),
            rust_items: String::new(),
            binding,
            rust_binding: Binding::Atom,
        }
    }

    /// Rust that needs items, or that does not hold together as tightly as a call.
    pub fn rust(mut self, items: &str, binding: Binding) -> Self {
        (self.rust_items, self.rust_binding) = (items.into(), binding);
        self
    }
}

/// A template with its argument put in: in brackets wherever the template has none around it and the argument would fall
/// apart. `open` and `close` are the brackets.
pub(super) fn fill(template: &str, argument: &str, binding: Binding, open: &str, close: &str) -> String {
    let mut out = String::with_capacity(template.len() + argument.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once(Spelling::ARGUMENT) {
        out.push_str(before);
        let enclosed = before.ends_with(['(', '{', '|', '['])
            && (after.starts_with([')', '}', '|', ']']) || after.starts_with(r"\right"));
        if enclosed || binding == Binding::Atom {
            out.push_str(argument);
        } else {
            out.extend([open, argument, close]);
        }
        rest = after;
    }
    out.push_str(rest);
    out
}
