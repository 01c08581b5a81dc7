//! Composition: from a root file, flags and constants to one WGSL text.

use crate::{
    Constant, Place, catalog,
    constant::override_line,
    error::ComposeError,
    source::{blank_comments, words},
};

/// Where a composition starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Root<'a> {
    /// A shader of this crate, such as `shared/grid`.
    Named(&'a str),
    /// Text from elsewhere, which may import the shaders of this crate.
    Text {
        /// What errors call it.
        name: &'a str,
        /// The text.
        text: &'a str,
    },
}

/// Composed WGSL, and where each of its lines came from.
///
/// ```
/// use knotwork_shaders::{Root, compose};
/// let text = "// first line\n#import shared/grid\nfn f() {}";
/// let composed = compose(Root::Text { name: "mine", text }, &[], &[])?;
/// let last = composed.text.lines().count();
/// assert_eq!(composed.origin(last), Some(("mine", 3)));
/// assert_eq!(composed.origin(2), Some(("shared/grid", 1)));
/// assert_eq!(composed.origin(last + 1), None);
/// # Ok::<(), knotwork_shaders::ComposeError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Composition {
    /// The whole text.
    pub text: String,
    files: Vec<String>,
    /// For each line of `text`: an index into `files`, and the line there from 1.
    origins: Vec<(usize, usize)>,
}

impl Composition {
    /// The file and line (from 1) that a line of the composed text (from 1) came from.
    pub fn origin(&self, line: usize) -> Option<(&str, usize)> {
        let &(file, line) = self.origins.get(line.checked_sub(1)?)?;
        Some((self.files.get(file)?, line))
    }

    /// The form for browsers: with `enable subgroups;` if anything of subgroups is used (browsers demand the line; naga
    /// does not know it).
    ///
    /// ```
    /// use knotwork_shaders::{Root, compose};
    /// let text = "fn f(x: f32) -> f32 { return subgroupAdd(x); }";
    /// let composed = compose(Root::Text { name: "mine", text }, &[], &[])?;
    /// assert!(composed.for_browser()?.text.starts_with("enable subgroups;\n"));
    /// assert!(!composed.text.contains("enable"));
    /// # Ok::<(), knotwork_shaders::ComposeError>(())
    /// ```
    ///
    /// # Errors
    /// [`ComposeError::NotForBrowser`] where the text enables an extension that only wgpu has.
    pub fn for_browser(&self) -> Result<Composition, ComposeError> {
        let code = blank_comments(&self.text);
        for (index, line) in code.lines().enumerate() {
            let mut line_words = words(line);
            if line_words.next() == Some("enable") && line_words.any(|word| word.starts_with("wgpu_")) {
                let (file, number) = self.origin(index + 1).unwrap_or_default();
                let place = Place { file: file.to_owned(), line: number };
                return Err(ComposeError::NotForBrowser { place, directive: line.trim().to_owned() });
            }
        }
        let mut browser = self.clone();
        let enabled = code.lines().any(|line| words(line).eq(["enable", "subgroups"]));
        if !enabled && let Some(line) = code.lines().position(|line| words(line).any(is_subgroup_word)) {
            browser.text.insert_str(0, "enable subgroups;\n");
            browser.origins.insert(0, self.origins.get(line).copied().unwrap_or_default());
        }
        Ok(browser)
    }
}

/// Whether a word of WGSL is a builtin value or function of subgroups.
fn is_subgroup_word(word: &str) -> bool {
    let camel = |prefix| {
        word.strip_prefix(prefix).is_some_and(|rest: &str| rest.starts_with(|c: char| c.is_ascii_uppercase()))
    };
    ["subgroup_size", "subgroup_invocation_id", "subgroup_id", "num_subgroups"].contains(&word)
        || camel("subgroup")
        || word == "quadBroadcast"
        || word.starts_with("quadSwap")
}

/// Puts one WGSL text together: `root` and everything that it imports, each file once.
///
/// Lines that start with `#` are directives: `#import NAME` includes another shader of this crate, once however often it is
/// asked for; `#if FLAG` or `#if !FLAG`, `#else`, `#endif` keep or drop lines (they nest; a flag that is not in `flags` is
/// false). Constants replace values that the files declare, see [`Constant`]. Lines with `enable`, `requires` or `diagnostic`
/// move to the top, where WGSL wants them, whichever file they are in.
///
/// ```
/// use knotwork_shaders::{Constant, Root, compose};
/// let text = "#if half\nenable f16;\n#endif\nalias elem = f32;\nfn twice(x: elem) -> elem { return x + x; }";
/// let root = Root::Text { name: "twice", text };
/// assert!(compose(root, &[], &[])?.text.starts_with("alias elem = f32;"));
/// let half = compose(root, &["half"], &[("elem", Constant::Type("f16".into()))])?;
/// assert!(half.text.starts_with("enable f16;\nalias elem = f16;"));
/// # Ok::<(), knotwork_shaders::ComposeError>(())
/// ```
///
/// # Errors
/// A [`ComposeError`] that names the file and line: an unknown or circular import, unbalanced conditions, an unknown
/// directive, or a constant that is not declared or is of another type.
pub fn compose(
    root: Root<'_>,
    flags: &[&str],
    constants: &[(&str, Constant)],
) -> Result<Composition, ComposeError> {
    let (name, text) = match root {
        Root::Text { name, text } => (name, text),
        Root::Named(name) => {
            (name, catalog::shader(name).ok_or_else(|| ComposeError::UnknownShader(name.to_owned()))?)
        }
    };
    let mut composer = Composer {
        find: &catalog::shader,
        flags,
        constants,
        used: vec![false; constants.len()],
        files: Vec::new(),
        open: Vec::new(),
        top: Vec::new(),
        body: Vec::new(),
    };
    composer.include(name, text)?;
    composer.finish(name)
}

/// A line of the result and its origin.
type Line = (String, (usize, usize));

struct Composer<'a> {
    find: &'a dyn Fn(&str) -> Option<&'static str>,
    flags: &'a [&'a str],
    constants: &'a [(&'a str, Constant)],
    /// For each constant: whether a declaration was found.
    used: Vec<bool>,
    files: Vec<String>,
    /// The files that are being read, outermost first.
    open: Vec<String>,
    top: Vec<Line>,
    body: Vec<Line>,
}

/// An `#if` that is open.
struct Condition {
    line: usize,
    /// Whether the lines around it are kept.
    outer: bool,
    /// Whether its lines are kept now.
    keep: bool,
    in_else: bool,
}

impl Composer<'_> {
    fn include(&mut self, name: &str, text: &str) -> Result<(), ComposeError> {
        let file = self.files.len();
        self.files.push(name.to_owned());
        self.open.push(name.to_owned());
        let mut conditions: Vec<Condition> = Vec::new();
        let mut depth = 0usize;
        let code = blank_comments(text);
        for (index, (raw, code)) in text.lines().zip(code.lines()).enumerate() {
            let place = Place { file: name.to_owned(), line: index + 1 };
            let keep = conditions.last().is_none_or(|c| c.keep);
            let trimmed = code.trim();
            if trimmed.starts_with('#') {
                match directive(trimmed) {
                    Some(Directive::Import(wanted)) if keep => self.import(wanted, place)?,
                    Some(Directive::Import(_)) => {}
                    Some(other) => step(&mut conditions, other, keep, self.flags, place)?,
                    None => return Err(ComposeError::UnknownDirective { place, text: trimmed.to_owned() }),
                }
                continue;
            }
            if !keep {
                continue;
            }
            let origin = (file, index + 1);
            if depth == 0 && is_global_directive(trimmed) {
                if !self.top.iter().any(|(line, _)| line == trimmed) {
                    self.top.push((trimmed.to_owned(), origin));
                }
                continue;
            }
            let changed = if depth == 0 { override_line(raw, code, self.constants, &place)? } else { None };
            let line = match changed {
                Some((constant, line)) => {
                    self.used[constant] = true;
                    line
                }
                None => raw.to_owned(),
            };
            depth = (depth + code.matches('{').count()).saturating_sub(code.matches('}').count());
            self.body.push((line, origin));
        }
        if let Some(open) = conditions.last() {
            let place = Place { file: name.to_owned(), line: open.line };
            return Err(ComposeError::Unbalanced { place, what: "`#if` without an `#endif`" });
        }
        self.open.pop();
        Ok(())
    }

    fn import(&mut self, name: &str, place: Place) -> Result<(), ComposeError> {
        if let Some(start) = self.open.iter().position(|open| open == name) {
            let chain = self.open[start..].iter().cloned().chain([name.to_owned()]).collect();
            return Err(ComposeError::ImportCycle { place, chain });
        }
        if self.files.iter().any(|file| file == name) {
            return Ok(());
        }
        match (self.find)(name) {
            Some(text) => self.include(name, text),
            None => Err(ComposeError::UnknownImport { place, name: name.to_owned() }),
        }
    }

    fn finish(self, root: &str) -> Result<Composition, ComposeError> {
        if let Some(unused) = self.used.iter().position(|used| !used) {
            let name = self.constants[unused].0.to_owned();
            return Err(ComposeError::UnknownConstant { root: root.to_owned(), name });
        }
        let mut composed = Composition { text: String::new(), files: self.files, origins: Vec::new() };
        for (line, origin) in self.top.into_iter().chain(self.body) {
            composed.text.push_str(&line);
            composed.text.push('\n');
            composed.origins.push(origin);
        }
        Ok(composed)
    }
}

enum Directive<'a> {
    Import(&'a str),
    If { flag: &'a str, wanted: bool },
    Else,
    Endif,
}

fn directive(line: &str) -> Option<Directive<'_>> {
    let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let rest = rest.trim();
    let one_word = !rest.is_empty() && !rest.contains(char::is_whitespace);
    match word {
        "#import" if one_word => Some(Directive::Import(rest)),
        "#if" => {
            let flag = rest.strip_prefix('!').map_or(rest, str::trim_start);
            let plain = !flag.is_empty() && flag.chars().all(|c| c.is_alphanumeric() || c == '_');
            plain.then_some(Directive::If { flag, wanted: !rest.starts_with('!') })
        }
        "#else" if rest.is_empty() => Some(Directive::Else),
        "#endif" if rest.is_empty() => Some(Directive::Endif),
        _ => None,
    }
}

/// Whether a line is one of WGSL's directives that come before all declarations.
fn is_global_directive(code: &str) -> bool {
    let word = words(code).next().unwrap_or("");
    code.starts_with(word) && ["enable", "requires", "diagnostic"].contains(&word)
}

/// Follows an `#if`, `#else` or `#endif`.
fn step(
    conditions: &mut Vec<Condition>,
    directive: Directive<'_>,
    outer: bool,
    flags: &[&str],
    place: Place,
) -> Result<(), ComposeError> {
    let unbalanced = |place, what| Err(ComposeError::Unbalanced { place, what });
    match directive {
        Directive::Import(_) => {}
        Directive::If { flag, wanted } => {
            let keep = outer && flags.contains(&flag) == wanted;
            conditions.push(Condition { line: place.line, outer, keep, in_else: false });
        }
        Directive::Else => match conditions.last_mut() {
            Some(condition) if condition.in_else => return unbalanced(place, "a second `#else`"),
            Some(condition) => {
                condition.keep = condition.outer && !condition.keep;
                condition.in_else = true;
            }
            None => return unbalanced(place, "`#else` without an `#if`"),
        },
        Directive::Endif => {
            if conditions.pop().is_none() {
                return unbalanced(place, "`#endif` without an `#if`");
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
