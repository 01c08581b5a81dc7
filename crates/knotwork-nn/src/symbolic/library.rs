//! The functions among which an edge is looked for.

use knotwork_core::Site;

use super::{Function, SymbolicError, builtin};

/// How many names an error names.
const NEAREST: usize = 3;

/// A set of functions by name, in the order in which equally good ones are suggested.
///
/// [`Library::standard`] has pykan's functions under pykan's names and complexities: `0`, `x`, `x^2` … `x^5`, `1/x` …
/// `1/x^5`, `sqrt`, `x^1.5`, `1/sqrt(x)`, `exp`, `log`, `abs`, `sin`, `cos`, `tan`, `tanh`, `sgn`, `arcsin`, `arccos`,
/// `arctan`, `arctanh`, `gaussian` (e^−u²); and `relu`, `sinh`, `cosh`, `sigmoid`, `silu`, `softplus`, `arcsinh`,
/// `lorentzian` (1/(1 + u²)). `x^0.5` and `1/x^0.5` are other names of `sqrt` and `1/sqrt(x)`, as `asin` is of `arcsin`.
///
/// ```
/// use knotwork_nn::symbolic::Library;
/// let library = Library::standard();
/// assert!(library.len() >= 30);
/// assert_eq!(library.get("x^0.5")?.name(), "sqrt");
/// let few = library.only(["x", "x^2", "sin"])?;
/// assert_eq!(few.len(), 3);
/// let e = library.get("sinn").unwrap_err().to_string();
/// assert!(e.starts_with("there is no function `sinn` in the library; the nearest are: sin, sinh"), "{e}");
/// # Ok::<(), knotwork_nn::symbolic::SymbolicError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Library {
    functions: Vec<Function>,
}

impl Library {
    /// No function at all.
    #[must_use]
    pub fn empty() -> Self {
        Self { functions: Vec::new() }
    }

    /// The functions listed above.
    #[must_use]
    pub fn standard() -> Self {
        Self { functions: builtin::all() }
    }

    /// These functions alone, in this order.
    ///
    /// # Errors
    ///
    /// [`SymbolicError::UnknownFunction`] for the first name that is not there.
    #[track_caller]
    pub fn only<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> Result<Self, SymbolicError> {
        let site = Site::here();
        let mut functions: Vec<Function> = Vec::new();
        for name in names {
            let f = self.find(name, site)?;
            if !functions.contains(&f) {
                functions.push(f);
            }
        }
        Ok(Self { functions })
    }

    /// Adds a function, after those that are there.
    ///
    /// # Errors
    ///
    /// [`SymbolicError::TakenName`] where its name, or its second name, is another's;
    /// [`SymbolicError::Function`] where it has no name, no `{x}` in a spelling, or a complexity below 0.
    #[track_caller]
    pub fn add(&mut self, function: Function) -> Result<(), SymbolicError> {
        let site = Site::here();
        function.check(site)?;
        if self.find(function.name(), site).is_ok() {
            return Err(SymbolicError::TakenName { name: function.name().into(), site });
        }
        self.functions.push(function);
        Ok(())
    }

    /// The function of this name.
    ///
    /// # Errors
    ///
    /// [`SymbolicError::UnknownFunction`] with the names most like it.
    #[track_caller]
    pub fn get(&self, name: &str) -> Result<Function, SymbolicError> {
        self.find(name, Site::here())
    }

    fn find(&self, name: &str, site: Site) -> Result<Function, SymbolicError> {
        let of = |name: &str| self.functions.iter().find(|f| f.name() == name).cloned();
        let alias = || builtin::ALIASES.iter().find(|a| a.0 == name).and_then(|a| of(a.1));
        of(name).or_else(alias).ok_or_else(|| {
            let word = name.to_lowercase();
            let mut nearest: Vec<&str> = self.names().collect();
            let likeness = |n: &str| strsim::jaro_winkler(&word, n);
            nearest.sort_by(|a, b| likeness(b).total_cmp(&likeness(a)));
            let nearest = nearest.into_iter().take(NEAREST).map(str::to_owned).collect();
            SymbolicError::UnknownFunction { name: name.into(), nearest, site }
        })
    }

    /// The functions, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Function> {
        self.functions.iter()
    }

    /// The names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.functions.iter().map(Function::name)
    }

    /// How many functions there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.functions.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.functions.is_empty()
    }
}

impl Default for Library {
    /// [`Library::standard`].
    fn default() -> Self {
        Self::standard()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pykans_names_are_all_known() {
        let library = Library::standard();
        let complexity = [
            ("x", 1),
            ("x^2", 2),
            ("x^3", 3),
            ("x^4", 3),
            ("x^5", 3),
            ("1/x", 2),
            ("1/x^2", 2),
            ("1/x^3", 3),
            ("1/x^4", 4),
            ("1/x^5", 5),
            ("sqrt", 2),
            ("x^0.5", 2),
            ("x^1.5", 4),
            ("1/sqrt(x)", 2),
            ("1/x^0.5", 2),
            ("exp", 2),
            ("log", 2),
            ("abs", 3),
            ("sin", 2),
            ("cos", 2),
            ("tan", 3),
            ("tanh", 3),
            ("sgn", 3),
            ("arcsin", 4),
            ("arccos", 4),
            ("arctan", 4),
            ("arctanh", 4),
            ("0", 0),
            ("gaussian", 3),
        ];
        for (name, of) in complexity {
            assert_eq!(library.get(name).unwrap().complexity_of(), f64::from(of), "{name}");
        }
        let mut names: Vec<&str> = library.names().collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), library.len());
    }

    #[test]
    fn what_cannot_be_added() {
        let mut library = Library::standard();
        let n = library.len();
        let mut no = |f: Function| library.add(f).unwrap_err();
        assert!(
            matches!(no(Function::new("sin", f64::sin)), SymbolicError::TakenName { name, .. } if name == "sin")
        );
        assert!(matches!(no(Function::new("asin", f64::asin)), SymbolicError::TakenName { .. }));
        let e = no(Function::new("j0", libm::j0).text("J0")).to_string();
        assert!(e.contains("`j0`: its text `J0` has no `{x}`") && e.contains("library.rs:"), "{e}");
        assert!(no(Function::new(" ", f64::sin)).to_string().contains("needs a name"));
        assert!(
            no(Function::new("j0", libm::j0).complexity(f64::NAN)).to_string().contains("complexity NaN")
        );
        assert_eq!(library.len(), n);
        library.add(Function::new("j0", libm::j0)).unwrap();
        // Without a derivative, by differences.
        let j0 = library.get("j0").unwrap();
        assert!((j0.derivative_at(1.5) + libm::j1(1.5)).abs() < 1e-9);
        let mut u = [0.5, 1.0];
        j0.apply(&mut u);
        assert_eq!(u, [libm::j0(0.5), libm::j0(1.0)]);
        assert!(Library::empty().is_empty() && Library::default().len() == n);
    }

    #[test]
    fn unknown_names() {
        let library = Library::standard();
        let e = library.only(["x", "cosinus"]).unwrap_err();
        assert!(
            matches!(&e, SymbolicError::UnknownFunction { name, nearest, .. } if name == "cosinus" && nearest[0] == "cos"),
            "{e}"
        );
        assert!(e.to_string().contains("library.rs:"), "{e}");
        assert_eq!(library.only(["sqrt", "x^0.5"]).unwrap().len(), 1);
    }
}
