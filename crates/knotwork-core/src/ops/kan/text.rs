//! Bases read back from their text.

use std::str::FromStr;

use super::{BSpline, Basis, Outside, Wavelet};
use crate::{Error, Result, Site, error::OpError};

impl FromStr for Outside {
    type Err = Error;

    /// The policy of this name: `zero`, `clamp` or `linear`.
    #[track_caller]
    fn from_str(text: &str) -> Result<Self> {
        [Self::Zero, Self::Clamp, Self::Linear]
            .into_iter()
            .find(|policy| policy.to_string() == text)
            .ok_or_else(|| refuse(text, "is none of zero, clamp, linear".into(), Site::here()))
    }
}

impl FromStr for Wavelet {
    type Err = Error;

    /// The wavelet of this name: `mexican_hat`, `morlet` or `dog`.
    #[track_caller]
    fn from_str(text: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|wavelet| wavelet.to_string() == text);
        found.ok_or_else(|| {
            let message = format!("is none of {}", Self::ALL.map(|w| w.to_string()).join(", "));
            OpError { op: "Wavelet".into(), inputs: vec![format!("`{text}`")], message, site: Site::here() }
                .into()
        })
    }
}

impl Basis {
    /// The names that a basis' text may begin with.
    pub const NAMES: [&str; 9] =
        ["bspline", "rbf", "chebyshev", "legendre", "jacobi", "hermite", "fourier", "relu_kan", "bernstein"];
}

/// The inverse of its text, number for number: what files say of a basis.
///
/// ```
/// use knotwork_core::ops::Basis;
/// let basis: Basis = "bspline order=3 grid=5 range=[-2, 2.5] outside=linear".parse()?;
/// assert_eq!(basis.count(), 8);
/// assert_eq!(basis.to_string(), "bspline order=3 grid=5 range=[-2, 2.5] outside=linear");
/// assert!("bspline order=3".parse::<Basis>().unwrap_err().to_string().contains("`grid` is missing"));
/// # Ok::<(), knotwork_core::Error>(())
/// ```
impl FromStr for Basis {
    type Err = Error;

    #[track_caller]
    fn from_str(text: &str) -> Result<Self> {
        let site = Site::here();
        let (name, rest) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
        // The range is the one value with a space in it.
        let joined = rest.replace(", ", ",");
        let mut pairs: Vec<(&str, &str)> = Vec::new();
        for word in joined.split_whitespace() {
            match word.split_once('=') {
                Some(pair) if !pairs.iter().any(|p| p.0 == pair.0) => pairs.push(pair),
                Some((key, _)) => return Err(refuse(text, format!("says `{key}` twice"), site)),
                None => return Err(refuse(text, format!("`{word}` is no attribute=value"), site)),
            }
        }
        let mut words = Words { text, pairs, site };
        let basis = match name {
            "bspline" => {
                let (grid, order, (lo, hi)) = (words.number("grid")?, words.number("order")?, words.range()?);
                let outside = words.optional("outside").map_or(Ok(Outside::Zero), str::parse)?;
                BSpline::new(grid, order)?.range(lo, hi)?.outside(outside).into()
            }
            "rbf" => Self::rbf(words.number("n")?, words.range()?, Some(words.number("width")?))?,
            "chebyshev" => Self::chebyshev(words.number("degree")?)?,
            "legendre" => Self::legendre(words.number("degree")?)?,
            "jacobi" => Self::jacobi(words.number("degree")?, words.number("a")?, words.number("b")?)?,
            "hermite" => Self::hermite(words.number("degree")?)?,
            "fourier" => Self::fourier(words.number("frequencies")?)?,
            "relu_kan" => Self::relu_kan(words.number("grid")?, words.number("order")?)?,
            "bernstein" => Self::bernstein(words.number("degree")?)?,
            _ => {
                let message = format!("there is no basis `{name}`; there are {}", Self::NAMES.join(", "));
                return Err(refuse(text, message, site));
            }
        };
        match words.pairs.first() {
            None => Ok(basis),
            Some((key, _)) => Err(refuse(text, format!("{name} has no attribute `{key}`"), site)),
        }
    }
}

/// The attributes that have not been asked for yet.
struct Words<'a> {
    text: &'a str,
    pairs: Vec<(&'a str, &'a str)>,
    site: Site,
}

impl<'a> Words<'a> {
    fn optional(&mut self, key: &str) -> Option<&'a str> {
        let at = self.pairs.iter().position(|pair| pair.0 == key)?;
        Some(self.pairs.remove(at).1)
    }

    fn take(&mut self, key: &str) -> Result<&'a str> {
        self.optional(key).ok_or_else(|| refuse(self.text, format!("`{key}` is missing"), self.site))
    }

    fn number<T: FromStr>(&mut self, key: &str) -> Result<T> {
        let word = self.take(key)?;
        word.parse().map_err(|_| refuse(self.text, format!("`{key}` is `{word}`, no such number"), self.site))
    }

    fn range(&mut self) -> Result<(f64, f64)> {
        let word = self.take("range")?;
        let ends = word.strip_prefix('[').and_then(|w| w.strip_suffix(']')).and_then(|w| w.split_once(','));
        ends.and_then(|(low, high)| Some((low.parse().ok()?, high.parse().ok()?)))
            .ok_or_else(|| refuse(self.text, format!("`range` is `{word}`, no [low, high]"), self.site))
    }
}

fn refuse(text: &str, message: String, site: Site) -> Error {
    OpError { op: "Basis".into(), inputs: vec![format!("`{text}`")], message, site }.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_basis_comes_back() {
        let spline = BSpline::new(7, 2).unwrap().range(-0.1, 1.0 / 3.0).unwrap();
        let all = [
            spline.into(),
            spline.outside(Outside::Clamp).into(),
            spline.outside(Outside::Linear).into(),
            Basis::rbf(5, (-1.5, 2.0), None).unwrap(),
            Basis::rbf(1, (0.0, 1.0), Some(0.3)).unwrap(),
            Basis::chebyshev(4).unwrap(),
            Basis::legendre(0).unwrap(),
            Basis::jacobi(3, -0.25, 1.0 / 7.0).unwrap(),
            Basis::hermite(6).unwrap(),
            Basis::fourier(9).unwrap(),
            Basis::relu_kan(5, 3).unwrap(),
            Basis::bernstein(4).unwrap(),
        ];
        let mut named = std::collections::BTreeSet::new();
        for basis in all {
            let text = basis.to_string();
            assert_eq!(text.parse::<Basis>().unwrap(), basis, "{basis}");
            named.extend(text.split(' ').next().map(str::to_owned));
        }
        assert_eq!(named, Basis::NAMES.map(str::to_owned).into());
    }

    #[test]
    fn every_wavelet_comes_back() {
        for wavelet in Wavelet::ALL {
            assert_eq!(wavelet.to_string().parse::<Wavelet>().unwrap(), wavelet);
        }
        let e = "haar".parse::<Wavelet>().unwrap_err().to_string();
        assert!(e.contains("`haar`") && e.contains("none of mexican_hat, morlet, dog"), "{e}");
    }

    #[test]
    fn what_is_no_basis_is_refused() {
        for (text, want) in [
            ("", "there is no basis ``"),
            ("splines grid=3", "there is no basis `splines`; there are bspline, rbf, chebyshev"),
            ("chebyshev", "`degree` is missing"),
            ("chebyshev degree=four", "`degree` is `four`, no such number"),
            ("chebyshev degree=4 degree=5", "says `degree` twice"),
            ("chebyshev degree=4 range=[0, 1]", "chebyshev has no attribute `range`"),
            ("chebyshev degree", "`degree` is no attribute=value"),
            ("chebyshev degree=65", "degree is 65"),
            ("bspline order=3 grid=5 range=-1..1", "no [low, high]"),
            ("bspline order=3 grid=5 range=[1, -1]", "must be finite and not empty"),
            ("bspline order=3 grid=5 range=[-1, 1] outside=wrap", "is none of zero, clamp, linear"),
        ] {
            let got = text.parse::<Basis>().unwrap_err().to_string();
            assert!(got.contains(want), "{text}: {got}");
        }
    }
}
