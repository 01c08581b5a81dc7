//! What makes two different (a, b, c, d) one function, so that searches look once and answers read simply.

/// The changes of (a, b) that c and d can undo.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Symmetry {
    /// None known.
    None,
    /// f is 0: only d counts.
    Zero,
    /// f(u) = u: only c and d count.
    Linear,
    /// f(λ u) = λ^degree f(u) for λ > 0: only the sign of a and b/a count.
    Power {
        /// The exponent.
        degree: f64,
        /// What f(−u) is.
        parity: Parity,
    },
    /// f(u + s) = e^s f(u): only a counts.
    Exponential,
    /// f(λ u) = f(u) + ln λ for λ > 0: only the sign of a and b/a count.
    Logarithm,
    /// f(−u) is given by f(u).
    Mirror(Parity),
    /// f(u + shift) = f(u), or −f(u) where it flips.
    Periodic {
        /// The shift.
        shift: f64,
        /// Whether f changes its sign.
        flips: bool,
        /// What f(−u) is.
        parity: Parity,
    },
}

/// What f(−u) is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Parity {
    /// Not given by f(u).
    None,
    /// f(u).
    Even,
    /// sum − f(u): an odd function has sum 0.
    Sum(f64),
}

impl Symmetry {
    /// The function c f(a x + b) + d, written in the one way that reads best: a > 0 where f(−u) is given by f(u), |a| = 1 for
    /// powers and logarithms, b = 0 for `exp`, b in one period.
    pub fn canonical(self, [mut a, mut b, mut c, mut d]: [f64; 4]) -> [f64; 4] {
        let parity = match self {
            Self::None => Parity::None,
            Self::Zero => return [1.0, 0.0, 0.0, d],
            Self::Linear => return [1.0, 0.0, c * a, c * b + d],
            Self::Power { degree, parity } if a != 0.0 => {
                let factor = a.abs().powf(degree);
                if factor.is_finite() && factor > 0.0 && (c * factor).is_finite() {
                    (b, c, a) = (b / a.abs(), c * factor, a.signum());
                }
                parity
            }
            Self::Logarithm if a != 0.0 => {
                (b, d, a) = (b / a.abs(), d + c * a.abs().ln(), a.signum());
                Parity::None
            }
            // Beyond, e^b would swallow or lose the scale of c.
            Self::Exponential if b.abs() < 50.0 => return [a, 0.0, c * b.exp(), d],
            Self::Power { parity, .. } | Self::Mirror(parity) | Self::Periodic { parity, .. } => parity,
            Self::Exponential | Self::Logarithm => Parity::None,
        };
        if a < 0.0 && parity != Parity::None {
            (a, b) = (-a, -b);
            if let Parity::Sum(sum) = parity {
                (c, d) = (-c, d + c * sum);
            }
        }
        if let Self::Periodic { shift, flips, .. } = self {
            let turns = (b / shift).round();
            b -= turns * shift;
            if flips {
                if turns % 2.0 != 0.0 {
                    c = -c;
                }
                // Then c > 0, and b within one whole period.
                if c < 0.0 {
                    (c, b) = (-c, if b > 0.0 { b - shift } else { b + shift });
                }
            }
        }
        // No minus zero.
        [a, b + 0.0, c, d + 0.0]
    }

    /// The same half a wave away, where that brings b nearer to 0 and c another sign: −sin x for sin(x + π).
    pub fn half_wave(self, [a, b, c, d]: [f64; 4]) -> [f64; 4] {
        match self {
            Self::Periodic { shift, flips: true, .. } if b.abs() > 0.5 * shift => {
                [a, b - shift.copysign(b), -c, d]
            }
            _ => [a, b, c, d],
        }
    }
}
