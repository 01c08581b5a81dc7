//! The text of functions, and functions read back from it.

use std::{fmt, str::FromStr};

use knotwork_core::ops::{Basis, Outside, Wavelet};

use super::Functions;
use crate::{Error, Result};

impl fmt::Display for Functions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Basis(basis) => write!(f, "{basis}"),
            Self::OnKnots(..) => {
                let (grid, order, outside) = self.spline().unwrap_or_default();
                write!(f, "bspline order={order} grid={grid} on knots of each input")?;
                if outside == Outside::Zero { Ok(()) } else { write!(f, " outside={outside}") }
            }
            Self::Wavelet(wavelet, (low, high)) => write!(f, "{wavelet} range=[{low}, {high}]"),
        }
    }
}

impl FromStr for Functions {
    type Err = Error;

    /// The inverse of their text, but for functions on knots, whose text has no numbers: a [`Basis`]' with its attributes,
    /// or `mexican_hat`, `morlet` or `dog`, whose range is [−1, 1] unless it is said.
    #[track_caller]
    fn from_str(text: &str) -> Result<Self> {
        let (name, rest) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
        if let Ok(wavelet) = name.parse::<Wavelet>() {
            return match rest.trim() {
                "" => Ok(wavelet.into()),
                said => Ok(Self::Wavelet(wavelet, range(text, said)?)),
            };
        }
        if Basis::NAMES.contains(&name) {
            return Ok(Self::Basis(text.parse()?));
        }
        let wavelets = Wavelet::ALL.map(|w| w.to_string()).join(", ");
        let bases = Basis::NAMES.join(", ");
        Err(Error::setting(format!("there is no basis `{name}`; there are {bases}, {wavelets}")))
    }
}

/// The range that a wavelet's text says.
#[track_caller]
fn range(text: &str, said: &str) -> Result<(f64, f64)> {
    let ends = said.strip_prefix("range=[").and_then(|s| s.strip_suffix(']')).and_then(|s| s.split_once(','));
    let ends = ends.and_then(|(low, high)| Some((low.trim().parse().ok()?, high.trim().parse().ok()?)));
    ends.ok_or_else(|| {
        Error::setting(format!("`{text}`: `{said}` is no range=[low, high], all that is said of a wavelet"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_come_back_from_their_text() {
        let all: [Functions; 5] = [
            Basis::chebyshev(4).unwrap().into(),
            Basis::bspline(3, 2, (-1.0, 0.5)).unwrap().into(),
            Wavelet::Morlet.into(),
            Functions::Wavelet(Wavelet::Dog, (-0.1, 1.0 / 3.0)),
            Functions::Wavelet(Wavelet::MexicanHat, (1e-7, 1e9)),
        ];
        for functions in all {
            assert_eq!(functions.to_string().parse::<Functions>().unwrap(), functions);
        }
        assert_eq!(" dog ".parse::<Functions>().unwrap(), Wavelet::Dog.into());
    }

    #[test]
    fn what_is_no_text_of_functions_is_refused() {
        for (text, want) in [
            ("", "there is no basis ``"),
            ("haar", "there is no basis `haar`; there are bspline, rbf"),
            ("haar", "bernstein, mexican_hat, morlet, dog"),
            ("dog grid=3", "`grid=3` is no range=[low, high]"),
            ("dog range=[0, x]", "`range=[0, x]` is no range=[low, high]"),
            ("chebyshev degree=65", "degree is 65"),
            ("bspline order=3 grid=5 on knots of each input", "`on` is no attribute=value"),
        ] {
            let got = text.parse::<Functions>().unwrap_err().to_string();
            assert!(got.contains(want), "{text}: {got}");
        }
    }
}
