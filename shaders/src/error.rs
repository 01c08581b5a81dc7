//! What can go wrong when shader text is put together.

use crate::Constant;
use std::fmt;

/// A line of a shader file.
///
/// ```
/// let place = knotwork_shaders::Place { file: "shared/grid".into(), line: 3 };
/// assert_eq!(place.to_string(), "shared/grid:3");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The name of a shader, or the name that a custom text was given.
    pub file: String,
    /// The line in it, from 1.
    pub line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// Why [`compose`](crate::compose) gave no text.
///
/// ```
/// use knotwork_shaders::{Root, compose};
/// let error = compose(Root::Text { name: "mine", text: "\n#endif" }, &[], &[]).unwrap_err();
/// assert_eq!(error.to_string(), "mine:2: `#endif` without an `#if`");
/// ```
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ComposeError {
    /// The root names no shader of this crate.
    #[error("there is no shader named `{0}`")]
    UnknownShader(String),
    /// An `#import` names no shader of this crate.
    #[error("{place}: there is no shader named `{name}` to import")]
    UnknownImport {
        /// Where the import stands.
        place: Place,
        /// What it asks for.
        name: String,
    },
    /// Files import each other in a circle.
    #[error("{place}: import cycle {}", chain.join(" -> "))]
    ImportCycle {
        /// The import that closes the circle.
        place: Place,
        /// The files of the circle, the first again at the end.
        chain: Vec<String>,
    },
    /// An `#if`, `#else` or `#endif` has no partner.
    #[error("{place}: {what}")]
    Unbalanced {
        /// The line of the directive.
        place: Place,
        /// What is missing.
        what: &'static str,
    },
    /// A line starts with `#` and is no directive.
    #[error("{place}: `{text}` is none of `#import NAME`, `#if NAME`, `#if !NAME`, `#else`, `#endif`")]
    UnknownDirective {
        /// The line of it.
        place: Place,
        /// The line itself.
        text: String,
    },
    /// A constant was given that the composed text does not declare.
    #[error(
        "`{root}` declares no `const {name}: TYPE = VALUE;` or `alias {name} = TYPE;` on a line at module scope"
    )]
    UnknownConstant {
        /// The root of the composition.
        root: String,
        /// The constant given.
        name: String,
    },
    /// A constant was given with another type than the text declares.
    #[error("{place}: `{name}` is declared with {declared}, and {given:?} was given")]
    WrongType {
        /// The declaration.
        place: Place,
        /// The constant.
        name: String,
        /// Its type there.
        declared: String,
        /// What was given.
        given: Constant,
    },
    /// WGSL has no way to write a value.
    #[error("`{name}`: WGSL cannot write {given:?}")]
    Unwritable {
        /// The constant.
        name: String,
        /// The value.
        given: Constant,
    },
    /// The text needs an extension that browsers do not have.
    #[error("{place}: `{directive}` has no meaning in a browser")]
    NotForBrowser {
        /// Where it stands.
        place: Place,
        /// The line.
        directive: String,
    },
}
