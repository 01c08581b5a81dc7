//! Typed constants: values that a composition puts in place of those written in the shader file.

use crate::{ComposeError, Place, source::words};

/// A value for a constant of a shader file.
///
/// A file declares constants that it lets others set as ordinary WGSL, at module scope and on one line, with a type:
/// `const TILE: u32 = 64u;`, or `alias elem = f32;` for a [`Constant::Type`]. The file so stays valid WGSL by itself.
///
/// ```
/// use knotwork_shaders::{Constant, Root, compose};
/// let root = Root::Text { name: "example", text: "const TILE: u32 = 64u;" };
/// let composed = compose(root, &[], &[("TILE", Constant::U32(32))])?;
/// assert_eq!(composed.text, "const TILE: u32 = 32u;\n");
/// # Ok::<(), knotwork_shaders::ComposeError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum Constant {
    /// For `const NAME: u32`.
    U32(u32),
    /// For `const NAME: i32`.
    I32(i32),
    /// For `const NAME: f32`; WGSL has no literal for NaN and infinities, so the value must be finite.
    F32(f32),
    /// For `const NAME: bool`.
    Bool(bool),
    /// For `alias NAME`: the name of a type, such as `f16` or `vec4<f32>`.
    Type(String),
}

impl Constant {
    /// What the declaration must say for this constant: the type of a `const`, or the word `alias`.
    fn declared_as(&self) -> &'static str {
        match self {
            Constant::U32(_) => "u32",
            Constant::I32(_) => "i32",
            Constant::F32(_) => "f32",
            Constant::Bool(_) => "bool",
            Constant::Type(_) => "alias",
        }
    }

    /// The value as WGSL, or `None` where WGSL cannot write it.
    fn literal(&self) -> Option<String> {
        match self {
            Constant::U32(v) => Some(format!("{v}u")),
            // A conversion, because `-2147483648i` is the negation of a literal that does not fit.
            Constant::I32(i32::MIN) => Some(format!("i32({})", i32::MIN)),
            Constant::I32(v) => Some(format!("{v}i")),
            Constant::F32(v) => v.is_finite().then(|| format!("{v:?}f")),
            Constant::Bool(v) => Some(v.to_string()),
            Constant::Type(name) => {
                let plain = |c: char| c.is_ascii_alphanumeric() || "_<>, ".contains(c);
                (!name.is_empty() && name.chars().all(plain)).then(|| name.clone())
            }
        }
    }
}

/// The name that a line of code declares as a constant or alias, with its type (`alias` for an alias, empty for none).
fn declaration(code: &str) -> Option<(&str, &str)> {
    let (head, value) = code.split_once('=')?;
    // One whole declaration on the line: what follows the value stays as it is only if the value ends here.
    value.trim_end().ends_with(';').then_some(())?;
    let mut head_words = words(head);
    match (head_words.next()?, head_words.next()?) {
        ("const", name) => Some((name, head.split_once(':').map_or("", |(_, ty)| ty.trim()))),
        ("alias", name) => Some((name, "alias")),
        _ => None,
    }
}

/// `line` with the constant that it declares set from `constants`; the position of that constant; or `None` for any other line.
pub(crate) fn override_line(
    line: &str,
    code: &str,
    constants: &[(&str, Constant)],
    place: &Place,
) -> Result<Option<(usize, String)>, ComposeError> {
    let Some((name, declared)) = declaration(code) else { return Ok(None) };
    let Some(index) = constants.iter().position(|(given, _)| *given == name) else { return Ok(None) };
    let constant = &constants[index].1;
    if constant.declared_as() != declared {
        return Err(ComposeError::WrongType {
            place: place.clone(),
            name: name.to_owned(),
            declared: if declared.is_empty() { "no type".to_owned() } else { declared.to_owned() },
            given: constant.clone(),
        });
    }
    let literal = constant
        .literal()
        .ok_or_else(|| ComposeError::Unwritable { name: name.to_owned(), given: constant.clone() })?;
    // Comments are blanked by as many characters, not bytes, so columns are counted in characters.
    let before = code.chars().take_while(|c| *c != '=').count() + 1;
    let until = code.chars().take_while(|c| *c != ';').count();
    let head: String = line.chars().take(before).collect();
    let tail: String = line.chars().skip(until).collect();
    Ok(Some((index, format!("{head} {literal}{tail}"))))
}
