//! Where a function is defined.

use std::fmt;

/// The arguments u for which f(u) is a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Domain {
    /// Every u.
    All,
    /// u ≠ 0.
    NonZero,
    /// u > 0.
    Positive,
    /// u ≥ 0.
    NonNegative,
    /// |u| ≤ 1.
    ClosedUnit,
    /// |u| < 1.
    OpenUnit,
    /// u no odd multiple of π/2.
    CosineNonZero,
}

impl Domain {
    /// Whether u lies in it.
    #[must_use]
    pub fn contains(self, u: f64) -> bool {
        u.is_finite()
            && match self {
                Self::All => true,
                Self::NonZero => u != 0.0,
                Self::Positive => u > 0.0,
                Self::NonNegative => u >= 0.0,
                Self::ClosedUnit => u.abs() <= 1.0,
                Self::OpenUnit => u.abs() < 1.0,
                // No f64 is an odd multiple of π/2: its cosine is never 0.
                Self::CosineNonZero => u.cos() != 0.0,
            }
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::All => "defined everywhere",
            Self::NonZero => "defined for u != 0",
            Self::Positive => "defined for u > 0",
            Self::NonNegative => "defined for u >= 0",
            Self::ClosedUnit => "defined for |u| <= 1",
            Self::OpenUnit => "defined for |u| < 1",
            Self::CosineNonZero => "defined away from odd multiples of pi/2",
        })
    }
}
