//! A function of one variable: what it computes, how simple it is, how it is written.

use std::{fmt, sync::Arc};

use knotwork_core::{Site, Tensor};

use super::{SymbolicError, domain::Domain, protected::Protection, spelling::Spelling, symmetry::Symmetry};

type Scalar = Arc<dyn Fn(f64) -> f64 + Send + Sync>;
type InPlace = Arc<dyn Fn(&mut [f64]) + Send + Sync>;
pub(crate) type OnTensor = Arc<dyn Fn(&Tensor) -> knotwork_core::Result<Tensor> + Send + Sync>;

/// A function f of one variable that an edge may turn out to be, in f64: its value, its derivative, its complexity,
/// where it is defined, its form without singularities, and its spelling as text, LaTeX and Rust.
///
/// Those of the library come from [`Library::get`](super::Library::get); others are described by [`Function::new`].
/// Copies share one description. Two functions are equal where their names are.
///
/// ```
/// use knotwork_nn::symbolic::{Function, Library};
/// let sinc = Function::new("sinc", |u| if u == 0.0 { 1.0 } else { u.sin() / u })
///     .derivative(|u| if u == 0.0 { 0.0 } else { (u.cos() - u.sin() / u) / u })
///     .complexity(4.0)
///     .latex(r"\operatorname{sinc}\left({x}\right)")
///     .rust("sinc({x})", "fn sinc(u: f64) -> f64 {\n    if u == 0.0 { 1.0 } else { u.sin() / u }\n}\n");
/// assert!((sinc.value(1.0) - 1f64.sin()).abs() < 1e-15);
/// let mut library = Library::standard();
/// library.add(sinc)?;
/// assert_eq!(library.get("sinc")?.complexity_of(), 4.0);
/// # Ok::<(), knotwork_nn::symbolic::SymbolicError>(())
/// ```
#[derive(Clone)]
pub struct Function(Arc<Description>);

#[derive(Clone)]
struct Description {
    name: String,
    complexity: f64,
    value: Scalar,
    in_place: InPlace,
    derivative: Option<Scalar>,
    tensor: Option<OnTensor>,
    protection: Protection,
    domain: Domain,
    symmetry: Symmetry,
    spelling: Spelling,
}

impl Function {
    /// A function by its value, of complexity 3, defined everywhere, its derivative by central differences, and written
    /// `name(x)`: the methods below say otherwise.
    ///
    /// Where f is not defined, `value` should give NaN or an infinity: such a, b are left out of fits.
    pub fn new<F: Fn(f64) -> f64 + Send + Sync + 'static>(name: impl Into<String>, value: F) -> Self {
        let name = name.into();
        let value = Arc::new(value);
        let each = value.clone();
        // The loop is compiled with the function in it: one dynamic call a slice, not one a sample.
        let in_place = move |u: &mut [f64]| u.iter_mut().for_each(|u| *u = each(*u));
        Self(Arc::new(Description {
            spelling: Spelling::call(&name),
            name,
            complexity: 3.0,
            value,
            in_place: Arc::new(in_place),
            derivative: None,
            tensor: None,
            protection: Protection::None,
            domain: Domain::All,
            symmetry: Symmetry::None,
        }))
    }

    fn with(mut self, change: impl FnOnce(&mut Description)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }

    /// Sets f′(u). Where f has a kink, any value between the slopes beside it.
    #[must_use]
    pub fn derivative(self, derivative: impl Fn(f64) -> f64 + Send + Sync + 'static) -> Self {
        self.with(|d| d.derivative = Some(Arc::new(derivative)))
    }

    /// Sets f of every element of a tensor, by which networks run with the function on an edge; its gradients are those of the
    /// operations it is made of.
    ///
    /// ```
    /// use knotwork_nn::symbolic::Function;
    /// let bump = Function::new("bump", |u| u * (-u * u).exp()).tensor(|u| u.mul(&u.square()?.neg()?.exp()?));
    /// assert!(bump.is_on_tensors());
    /// ```
    #[must_use]
    pub fn tensor(
        self,
        tensor: impl Fn(&Tensor) -> knotwork_core::Result<Tensor> + Send + Sync + 'static,
    ) -> Self {
        self.with(|d| d.tensor = Some(Arc::new(tensor)))
    }

    /// Sets the complexity, from 0: the greater, the later the function is suggested. Those of the library reach 5.
    #[must_use]
    pub fn complexity(self, complexity: f64) -> Self {
        self.with(|d| d.complexity = complexity)
    }

    /// Sets where f is defined.
    #[must_use]
    pub fn domain(self, domain: Domain) -> Self {
        self.with(|d| d.domain = domain)
    }

    /// Sets how f is written as text; `{x}` stands for the argument.
    #[must_use]
    pub fn text(self, template: impl Into<String>) -> Self {
        self.with(|d| d.spelling.text = template.into())
    }

    /// Sets how f is written in LaTeX; `{x}` stands for the argument.
    #[must_use]
    pub fn latex(self, template: impl Into<String>) -> Self {
        self.with(|d| d.spelling.latex = template.into())
    }

    /// Sets how f is written in Rust, and the items that this needs (`""` for none); `{x}` stands for the argument, an `f64`.
    #[must_use]
    pub fn rust(self, template: impl Into<String>, items: impl Into<String>) -> Self {
        self.with(|d| (d.spelling.rust, d.spelling.rust_items) = (template.into(), items.into()))
    }

    pub(super) fn spelled(self, spelling: Spelling) -> Self {
        self.with(|d| d.spelling = spelling)
    }

    pub(super) fn protected_by(self, protection: Protection) -> Self {
        self.with(|d| d.protection = protection)
    }

    pub(super) fn symmetric(self, symmetry: Symmetry) -> Self {
        self.with(|d| d.symmetry = symmetry)
    }

    /// The name, by which a library knows it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// How complex the function is, from 0.
    #[must_use]
    pub fn complexity_of(&self) -> f64 {
        self.0.complexity
    }

    /// Where the function is defined.
    #[must_use]
    pub fn domain_of(&self) -> Domain {
        self.0.domain
    }

    /// f(u); NaN or an infinity where f is not defined.
    #[must_use]
    pub fn value(&self, u: f64) -> f64 {
        (self.0.value)(u)
    }

    /// f′(u); by central differences, good to about ten digits, where none was given.
    #[must_use]
    pub fn derivative_at(&self, u: f64) -> f64 {
        match &self.0.derivative {
            Some(derivative) => derivative(u),
            None => {
                let h = f64::EPSILON.cbrt() * u.abs().max(1.0);
                let (low, high) = (u - h, u + h);
                (self.value(high) - self.value(low)) / (high - low)
            }
        }
    }

    /// Whether [`of_tensor`](Self::of_tensor) can be taken: it can of all functions of the library.
    #[must_use]
    pub fn is_on_tensors(&self) -> bool {
        self.0.tensor.is_some()
    }

    /// f of every element, as nodes of the tensor's graph; NaN or an infinity where f is not defined.
    ///
    /// # Errors
    /// [`SymbolicError::Function`] where a function of the user was not told how ([`tensor`](Self::tensor)), and what the
    /// operations refuse.
    #[track_caller]
    pub fn of_tensor(&self, u: &Tensor) -> crate::Result<Tensor> {
        Ok(self.on_tensors()?(u)?)
    }

    /// f of tensors, or the error that there is none.
    #[track_caller]
    pub(crate) fn on_tensors(&self) -> Result<&OnTensor, SymbolicError> {
        self.0.tensor.as_ref().ok_or_else(|| SymbolicError::Function {
            name: self.name().into(),
            problem: "it has no form of tensors, so that no network can run with it: give it one by \
                      `Function::tensor`"
                .into(),
            site: Site::here(),
        })
    }

    /// Replaces every u of the slice by f(u).
    pub fn apply(&self, u: &mut [f64]) {
        (self.0.in_place)(u);
    }

    /// The form of f without singularities: finite for every finite u, equal to f where |f| and |f′| are moderate.
    /// `limit` > 0 says how large is moderate (pykan takes 10). With L for the limit:
    ///
    /// | function | protected form |
    /// |---|---|
    /// | `1/x`, `1/x^3`, `1/x^5` (n = 1, 3, 5) | for \|u\| < θ = L^(−1/n): L u/θ, the straight line through 0 that meets f |
    /// | `1/x^2`, `1/x^4` (n = 2, 4) | for \|u\| < L^(−1/n): L |
    /// | `sqrt` | sign(u) √\|u\|; for \|u\| < L⁻²: L u, which meets it |
    /// | `x^1.5` | \|u\|^1.5 |
    /// | `1/sqrt(x)` | 1/√\|u\|; for \|u\| < L⁻²: L |
    /// | `exp` | for u > ln L: L |
    /// | `log` | max(ln \|u\|, −L) |
    /// | `tan` | within δ = π/2 − arctan L of a pole p: −L (u − p)/δ, the line between the branches |
    /// | `arcsin` | for \|u\| > 1: its value at the nearer of ±1 |
    /// | `arccos` | the same |
    /// | `arctanh` | for \|u\| > tanh L (or 1 − 2⁻⁵³): L sign(u), at most arctanh(1 − 2⁻⁵³) |
    /// | `cosh`, `sinh` | u is held to ±ln(2 L), or 0 where L < ½: the values are about ±L beyond |
    ///
    /// Other functions of the library are finite already (for |u| < 1e61, powers included), and so are functions of the
    /// user taken to be. `sqrt` differs from pykan's form, which jumps at L⁻²; so does `arctanh`.
    ///
    /// ```
    /// use knotwork_nn::symbolic::Library;
    /// let inverse = Library::standard().get("1/x")?;
    /// assert!(inverse.value(0.0).is_infinite());
    /// assert_eq!(inverse.protected(0.0, 10.0), 0.0);
    /// assert_eq!(inverse.protected(0.05, 10.0), 5.0);
    /// assert_eq!(inverse.protected(0.5, 10.0), 2.0);
    /// # Ok::<(), knotwork_nn::symbolic::SymbolicError>(())
    /// ```
    #[must_use]
    pub fn protected(&self, u: f64, limit: f64) -> f64 {
        self.0.protection.value(u, limit).unwrap_or_else(|| self.value(u))
    }

    /// The derivative of [`protected`](Self::protected) in u; at its kinks that of one side.
    #[must_use]
    pub fn protected_derivative(&self, u: f64, limit: f64) -> f64 {
        self.0.protection.derivative(u, limit).unwrap_or_else(|| self.derivative_at(u))
    }

    /// Whether [`protected`](Self::protected) differs from f anywhere.
    #[must_use]
    pub fn is_protected(&self) -> bool {
        self.0.protection != Protection::None
    }

    pub(super) fn symmetry(&self) -> Symmetry {
        self.0.symmetry
    }

    pub(super) fn spelling(&self) -> &Spelling {
        &self.0.spelling
    }

    /// Whether this function can stand in a library.
    pub(super) fn check(&self, site: Site) -> Result<(), SymbolicError> {
        let no = |problem: String| Err(SymbolicError::Function { name: self.name().into(), problem, site });
        if self.name().trim().is_empty() {
            return no("a function needs a name".into());
        }
        if !(0.0..=1e6).contains(&self.complexity_of()) {
            return no(format!("complexity {} is not in 0..=1e6", self.complexity_of()));
        }
        let s = self.spelling();
        for (what, template) in [("text", &s.text), ("LaTeX", &s.latex), ("Rust", &s.rust)] {
            if !template.contains(Spelling::ARGUMENT) {
                return no(format!("its {what} `{template}` has no `{{x}}` for the argument"));
            }
        }
        Ok(())
    }
}

impl PartialEq for Function {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Function({})", self.name())
    }
}

impl fmt::Display for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
