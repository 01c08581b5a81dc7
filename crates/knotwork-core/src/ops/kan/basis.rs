//! The bases that a KAN layer may have: a closed set, each with its attributes checked where it is made.

use std::fmt;

use super::{BSpline, dense, reference};
use crate::{Result, Site, error::OpError};

/// The most centres, frequencies or intervals of a basis other than B-splines.
const MOST: usize = 4096;
/// The largest degree of a polynomial basis.
const DEGREE: usize = 64;
/// The largest degree of Hermite polynomials.
const HERMITE_DEGREE: usize = 32;
/// The largest a and b of Jacobi polynomials.
const JACOBI: f64 = 32.0;
/// The largest order of ReLU-KAN.
const RELU_ORDER: usize = 16;

/// The functions φ_j of one variable that the edges of a KAN layer are sums of.
///
/// | constructor | functions | count |
/// |---|---|---|
/// | [`bspline`](Self::bspline) | B-splines on a uniform grid, see [`BSpline`] | grid + order |
/// | [`rbf`](Self::rbf) | exp(−((x − c_j) / s)²), c_j spread evenly | n |
/// | [`chebyshev`](Self::chebyshev) | T_j(tanh x) | degree + 1 |
/// | [`legendre`](Self::legendre) | P_j(tanh x) | degree + 1 |
/// | [`jacobi`](Self::jacobi) | P_j^(a,b)(tanh x) | degree + 1 |
/// | [`hermite`](Self::hermite) | H_j(tanh x), the physicists' | degree + 1 |
/// | [`fourier`](Self::fourier) | cos kx, then sin kx, k = 1 … K | 2 K |
/// | [`relu_kan`](Self::relu_kan) | (relu(e_j − x) relu(x − s_j))² 16 / (e_j − s_j)⁴ over \[0, 1\] | grid + order |
/// | [`bernstein`](Self::bernstein) | C(n, j) uʲ (1 − u)ⁿ⁻ʲ, u = σ(x) | degree + 1 |
///
/// Sources: Liu et al. 2024 (B-splines); Li 2024, FastKAN (rbf); Sidharth et al. 2024 (Chebyshev); Xu et al. 2024,
/// FourierKAN; Qiu et al. 2024, ReLU-KAN.
///
/// ```
/// use knotwork_core::ops::{BSpline, Basis};
/// assert_eq!(Basis::chebyshev(6)?.count(), 7);
/// assert_eq!(Basis::from(BSpline::new(5, 3)?).count(), 8);
/// assert_eq!(Basis::rbf(3, (-1.0, 1.0), None)?.to_string(), "rbf n=3 range=[-1, 1] width=1");
/// assert!(Basis::rbf(1, (-1.0, 1.0), None).is_err()); // one centre has no distance to another
/// # Ok::<(), knotwork_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Basis(pub(super) Form);

/// What a basis is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Form {
    BSpline(BSpline),
    Rbf { n: usize, range: (f64, f64), width: f64 },
    Polynomial { family: Family, degree: usize },
    Fourier { frequencies: usize },
    ReluKan { grid: usize, order: usize },
    Bernstein { degree: usize },
}

/// Polynomials in u = tanh x with p_n = (A_n u + B_n) p_{n−1} − C_n p_{n−2}.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Family {
    Chebyshev,
    Legendre,
    Jacobi { a: f64, b: f64 },
    Hermite,
}

impl Family {
    /// A_n, B_n and C_n for n ≥ 1.
    pub fn step(self, n: usize) -> [f64; 3] {
        let m = n as f64;
        match (self, n) {
            (Self::Chebyshev | Self::Legendre, 1) => [1.0, 0.0, 0.0],
            (Self::Hermite, 1) => [2.0, 0.0, 0.0],
            // By itself: the general step divides by 0 where a + b is 0 or −1.
            (Self::Jacobi { a, b }, 1) => [(a + b + 2.0) / 2.0, (a - b) / 2.0, 0.0],
            (Self::Chebyshev, _) => [2.0, 0.0, 1.0],
            (Self::Legendre, _) => [(2.0 * m - 1.0) / m, 0.0, (m - 1.0) / m],
            (Self::Hermite, _) => [2.0, 0.0, 2.0 * (m - 1.0)],
            (Self::Jacobi { a, b }, _) => {
                let c = 2.0 * m + a + b;
                let by = 1.0 / (2.0 * m * (m + a + b));
                [
                    (c - 1.0) * c * by,
                    (c - 1.0) * (a - b) * (a + b) * by / (c - 2.0),
                    2.0 * (m + a - 1.0) * (m + b - 1.0) * c * by / (c - 2.0),
                ]
            }
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Chebyshev => "chebyshev",
            Self::Legendre => "legendre",
            Self::Jacobi { .. } => "jacobi",
            Self::Hermite => "hermite",
        }
    }
}

fn refuse(name: &str, message: String, site: Site) -> crate::Error {
    OpError { op: "Basis".into(), inputs: vec![name.into()], message, site }.into()
}

/// That a count lies in its limits.
fn within(name: &str, what: &str, value: usize, limits: (usize, usize), why: &str, site: Site) -> Result<()> {
    if (limits.0..=limits.1).contains(&value) {
        return Ok(());
    }
    let (low, high) = limits;
    Err(refuse(name, format!("{what} is {value}; it must be from {low} to {high}{why}"), site))
}

/// Why polynomials end at a degree.
const STEEP: &str =
    ": near ±1 its slope grows with the square of the degree, and so does the rounding of 32-bit floats";

impl Basis {
    /// B-splines of that many intervals and that order over [lo, hi]; [`BSpline`] says more.
    ///
    /// # Errors
    /// As of [`BSpline::new`] and [`BSpline::range`].
    #[track_caller]
    pub fn bspline(grid: usize, order: usize, range: (f64, f64)) -> Result<Self> {
        Ok(BSpline::new(grid, order)?.range(range.0, range.1)?.into())
    }

    /// Gaussians exp(−((x − c_j) / s)²) at n centres spread evenly over [lo, hi]. Without a width, s is their distance,
    /// (hi − lo) / (n − 1); a single centre is at lo and needs one.
    ///
    /// # Errors
    /// Where n is 0 or above 4096, an end of the range is not finite in f32 or lo is not below hi, the width is not above 0,
    /// or n is 1 and there is no width.
    #[track_caller]
    pub fn rbf(n: usize, range: (f64, f64), width: Option<f64>) -> Result<Self> {
        let site = Site::here();
        within("rbf", "n", n, (1, MOST), "", site)?;
        let (lo, hi) = range;
        if !((lo as f32).is_finite() && (hi as f32).is_finite() && lo < hi) {
            let message = format!("the range [{lo}, {hi}] must be finite and not empty");
            return Err(refuse("rbf", message, site));
        }
        let width = match width {
            Some(width) => width,
            None if n == 1 => {
                let message = "n is 1 and there is no width: one centre has no distance to the next that could \
                               be the width; give one";
                return Err(refuse("rbf", message.into(), site));
            }
            None => (hi - lo) / (n - 1) as f64,
        };
        if !(1e-9..=1e9).contains(&width) {
            let message = format!("width is {width}; it must be above 0: from 1e-9 to 1e9");
            return Err(refuse("rbf", message, site));
        }
        Ok(Self(Form::Rbf { n, range, width }))
    }

    #[track_caller]
    fn polynomial(family: Family, degree: usize) -> Result<Self> {
        within(family.name(), "degree", degree, (0, DEGREE), STEEP, Site::here())?;
        Ok(Self(Form::Polynomial { family, degree }))
    }

    /// Chebyshev polynomials of the first kind T_0 … T_degree at tanh x.
    ///
    /// # Errors
    /// Where the degree is above 64.
    #[track_caller]
    pub fn chebyshev(degree: usize) -> Result<Self> {
        Self::polynomial(Family::Chebyshev, degree)
    }

    /// Legendre polynomials P_0 … P_degree at tanh x.
    ///
    /// # Errors
    /// Where the degree is above 64.
    #[track_caller]
    pub fn legendre(degree: usize) -> Result<Self> {
        Self::polynomial(Family::Legendre, degree)
    }

    /// Jacobi polynomials P_0^(a,b) … P_degree^(a,b) at tanh x.
    ///
    /// # Errors
    /// Where the degree is above 64, or a or b is not above −1 and at most 32.
    #[track_caller]
    pub fn jacobi(degree: usize, a: f64, b: f64) -> Result<Self> {
        for (name, value) in [("a", a), ("b", b)] {
            if !(value > -1.0 && value <= JACOBI) {
                let message = format!("{name} is {value}; it must be above -1 and at most {JACOBI}");
                return Err(refuse("jacobi", message, Site::here()));
            }
        }
        Self::polynomial(Family::Jacobi { a, b }, degree)
    }

    /// The physicists' Hermite polynomials H_0 … H_degree at tanh x.
    ///
    /// # Errors
    /// Where the degree is above 32.
    #[track_caller]
    pub fn hermite(degree: usize) -> Result<Self> {
        let why = ": its values grow like the root of 2^n n!, and a sum of larger ones has no digit of the smaller left";
        within("hermite", "degree", degree, (0, HERMITE_DEGREE), why, Site::here())?;
        Ok(Self(Form::Polynomial { family: Family::Hermite, degree }))
    }

    /// cos x, cos 2x, … cos Kx, then sin x, … sin Kx, for K frequencies.
    ///
    /// # Errors
    /// Where there are none or more than 2048.
    #[track_caller]
    pub fn fourier(frequencies: usize) -> Result<Self> {
        within("fourier", "frequencies", frequencies, (1, MOST / 2), "", Site::here())?;
        Ok(Self(Form::Fourier { frequencies }))
    }

    /// ReLU-KAN over \[0, 1\]: (relu(e_j − x) relu(x − s_j))² 16 / (e_j − s_j)⁴, s_j = (j − order) / grid,
    /// e_j = (j + 1) / grid, j = 0 … grid + order − 1. Each is 0 outside (s_j, e_j), where it peaks at 1.
    ///
    /// # Errors
    /// Where grid is 0 or above 4000, or order above 16.
    #[track_caller]
    pub fn relu_kan(grid: usize, order: usize) -> Result<Self> {
        within("relu_kan", "grid", grid, (1, 4000), "", Site::here())?;
        within("relu_kan", "order", order, (0, RELU_ORDER), "", Site::here())?;
        Ok(Self(Form::ReluKan { grid, order }))
    }

    /// Bernstein polynomials C(n, j) uʲ (1 − u)ⁿ⁻ʲ of degree n at u = σ(x).
    ///
    /// # Errors
    /// Where the degree is above 64.
    #[track_caller]
    pub fn bernstein(degree: usize) -> Result<Self> {
        let why = ": each function of a larger one is near 0 almost everywhere, at a cost of its square";
        within("bernstein", "degree", degree, (0, DEGREE), why, Site::here())?;
        Ok(Self(Form::Bernstein { degree }))
    }

    /// The number of functions, n.
    #[must_use]
    pub fn count(&self) -> usize {
        match self.0 {
            Form::BSpline(spline) => spline.count(),
            Form::Rbf { n, .. } => n,
            Form::Polynomial { degree, .. } | Form::Bernstein { degree } => degree + 1,
            Form::Fourier { frequencies } => 2 * frequencies,
            Form::ReluKan { grid, order } => grid + order,
        }
    }

    /// The B-splines, where this is such a basis.
    #[must_use]
    pub fn spline(&self) -> Option<&BSpline> {
        match &self.0 {
            Form::BSpline(spline) => Some(spline),
            _ => None,
        }
    }

    /// Where the functions are made for: the range of their grid or centres, [0, 1] for ReLU-KAN, and [−1, 1] for those
    /// of all numbers.
    ///
    /// ```
    /// use knotwork_core::ops::Basis;
    /// assert_eq!(Basis::rbf(5, (-2.0, 2.0), None)?.range(), (-2.0, 2.0));
    /// assert_eq!(Basis::chebyshev(4)?.range(), (-1.0, 1.0));
    /// # Ok::<(), knotwork_core::Error>(())
    /// ```
    #[must_use]
    pub fn range(&self) -> (f64, f64) {
        match self.0 {
            Form::BSpline(spline) => spline.ends(),
            Form::Rbf { n: 1, range: (lo, _), width } => (lo - width, lo + width),
            Form::Rbf { range, .. } => range,
            Form::ReluKan { .. } => (0.0, 1.0),
            Form::Polynomial { .. } | Form::Fourier { .. } | Form::Bernstein { .. } => (-1.0, 1.0),
        }
    }

    /// The derivative of order `d` of every function at `x`, in f64; `None` where `d` is above
    /// [`derivatives`](Self::derivatives).
    ///
    /// ```
    /// use knotwork_core::ops::Basis;
    /// let t = Basis::chebyshev(2)?.evaluate(0.5f64.atanh(), 0).unwrap_or_default();
    /// assert!((t[2] - (2.0 * 0.25 - 1.0)).abs() < 1e-15);
    /// # Ok::<(), knotwork_core::Error>(())
    /// ```
    #[must_use]
    pub fn evaluate(&self, x: f64, d: usize) -> Option<Vec<f64>> {
        (d <= self.derivatives()).then(|| reference::basis(self, x, d))
    }

    /// The largest order of derivative that there is: any for B-splines, 3 for the others.
    #[must_use]
    pub fn derivatives(&self) -> usize {
        match self.0 {
            Form::BSpline(_) => usize::MAX,
            _ => dense::MAX_DERIVATIVE,
        }
    }

    /// Whether the derivative of this order is 0 wherever it exists.
    pub(super) fn vanishes(&self, d: usize) -> bool {
        match self.0 {
            Form::BSpline(spline) => d > spline.order(),
            Form::Polynomial { degree: 0, .. } | Form::Bernstein { degree: 0 } => d > 0,
            _ => false,
        }
    }
}

impl From<BSpline> for Basis {
    fn from(spline: BSpline) -> Self {
        Self(Form::BSpline(spline))
    }
}

impl From<&BSpline> for Basis {
    fn from(spline: &BSpline) -> Self {
        Self(Form::BSpline(*spline))
    }
}

impl From<&Basis> for Basis {
    fn from(basis: &Basis) -> Self {
        *basis
    }
}

impl fmt::Display for Basis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Form::BSpline(spline) => write!(f, "bspline {spline}"),
            Form::Rbf { n, range: (lo, hi), width } => {
                write!(f, "rbf n={n} range=[{lo}, {hi}] width={width}")
            }
            Form::Polynomial { family: Family::Jacobi { a, b }, degree } => {
                write!(f, "jacobi degree={degree} a={a} b={b}")
            }
            Form::Polynomial { family, degree } => write!(f, "{} degree={degree}", family.name()),
            Form::Fourier { frequencies } => write!(f, "fourier frequencies={frequencies}"),
            Form::ReluKan { grid, order } => write!(f, "relu_kan grid={grid} order={order}"),
            Form::Bernstein { degree } => write!(f, "bernstein degree={degree}"),
        }
    }
}
