//! Validation by naga, with errors that show the place in the shader file.

use crate::{Composition, excerpt};
use naga::valid::{Capabilities, ModuleInfo, ShaderStages, SubgroupOperationSet, ValidationFlags, Validator};
use std::{error::Error, fmt};

/// A module that naga accepts.
#[derive(Debug)]
pub struct Validated {
    /// The module.
    pub module: naga::Module,
    /// What validation found out about it; the writers need it.
    pub info: ModuleInfo,
}

/// Why naga refuses a text.
///
/// ```
/// use knotwork_shaders::{Root, compose, validate};
/// let text = "#import shared/grid\nfn f() -> f32 {\n    return oops;\n}";
/// let composed = compose(Root::Text { name: "mine", text }, &[], &[])?;
/// let error = validate(&composed).unwrap_err();
/// assert_eq!(error.origin, Some(("mine".to_string(), 3)));
/// assert!(error.to_string().contains("return oops;"));
/// # Ok::<(), knotwork_shaders::ComposeError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidateError {
    /// naga's words, innermost cause last.
    pub message: String,
    /// The file and line at fault, where naga knows them.
    pub origin: Option<(String, usize)>,
    /// The composed text around that line, numbered.
    pub excerpt: String,
}

impl fmt::Display for ValidateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((file, line)) = &self.origin {
            write!(f, "{file}:{line}: ")?;
        }
        write!(f, "{}", self.message)?;
        if self.excerpt.is_empty() { Ok(()) } else { write!(f, "\n{}", self.excerpt) }
    }
}

impl Error for ValidateError {}

impl ValidateError {
    fn new(message: String, at: Option<naga::SourceLocation>, composition: &Composition) -> Self {
        // The composed text has as many lines as a u32 can count.
        let line = at.and_then(|at| usize::try_from(at.line_number).ok());
        ValidateError {
            message,
            origin: line
                .and_then(|line| composition.origin(line))
                .map(|(file, number)| (file.to_owned(), number)),
            excerpt: line.map_or_else(String::new, |line| excerpt(&composition.text, line, 3)),
        }
    }
}

/// An error and everything behind it on one line.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}

/// Parses and validates a composition, with every capability on: whether a device has what a module uses is for the
/// backend to say.
///
/// ```
/// use knotwork_shaders::{Root, compose, validate};
/// let validated = validate(&compose(Root::Named("shared/grid"), &[], &[])?)?;
/// assert_eq!(validated.module.functions.len(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// A [`ValidateError`] that shows the line at fault and where it came from.
pub fn validate(composition: &Composition) -> Result<Validated, ValidateError> {
    let text = &composition.text;
    let module = naga::front::wgsl::parse_str(text).map_err(|error| {
        let notes: String = error.notes().map(|note| format!(" ({note})")).collect();
        ValidateError::new(format!("{}{notes}", error.message()), error.location(text), composition)
    })?;
    let mut validator = Validator::new(ValidationFlags::all(), Capabilities::all());
    validator.subgroup_stages(ShaderStages::all()).subgroup_operations(SubgroupOperationSet::all());
    match validator.validate(&module) {
        Ok(info) => Ok(Validated { module, info }),
        Err(error) => {
            // naga names the whole function first; the narrowest of its places says most.
            let spans = error.spans().map(|(span, _)| span).filter(|span| span.is_defined());
            let narrowest = spans.min_by_key(|span| span.to_range().map_or(usize::MAX, |range| range.len()));
            let at = narrowest.map(|span| span.location(text));
            Err(ValidateError::new(chain(error.as_inner()), at, composition))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Root, compose};
    use pretty_assertions::assert_eq;

    fn check(text: &str) -> Result<Validated, ValidateError> {
        validate(&compose(Root::Text { name: "t", text }, &[], &[]).unwrap())
    }

    #[test]
    fn an_error_of_validation_names_the_line_and_the_cause() {
        let error =
            check("#if no\n#endif\nfn f() -> f32 {\n    let x = 1.0;\n    return 1u;\n}").unwrap_err();
        assert_eq!(error.origin, Some(("t".to_owned(), 5)), "{error}");
        assert!(error.excerpt.contains(">   3 |     return 1u;"), "{error}");
    }

    #[test]
    fn subgroups_and_wgpu_extensions_pass() {
        check("fn f(x: f32) -> f32 { return subgroupAdd(x) + quadSwapX(x); }").unwrap();
        check("enable f16;\nfn f(x: f16) -> f16 { return x * 2.0h; }").unwrap();
        check("fn f(x: f64) -> f64 { return x; }").unwrap();
    }
}
