//! Eight special functions of two variables, over ranges where they are smooth.

use spec_math::{Bessel, Ellip, Gamma};

/// A function of two variables.
pub struct Special {
    /// How it is written.
    pub name: &'static str,
    /// What it is.
    pub about: &'static str,
    /// The ranges of both variables.
    pub ranges: [(f64, f64); 2],
    /// Its value, to about 1e-12.
    pub value: fn(f64, f64) -> f64,
}

/// All of them.
pub const FUNCTIONS: [Special; 8] = [
    Special {
        name: "sn(u, m)",
        about: "Jacobi's elliptic sine",
        ranges: [(0.0, 6.0), (0.0, 0.95)],
        value: |u, m| u.ellip_j(m).sn,
    },
    Special {
        name: "F(φ, m)",
        about: "incomplete elliptic integral of the first kind",
        ranges: [(0.0, 1.5), (0.0, 0.95)],
        value: |phi, m| m.ellip_k_inc(phi),
    },
    Special {
        name: "E(φ, m)",
        about: "incomplete elliptic integral of the second kind",
        ranges: [(0.0, 1.5), (0.0, 0.95)],
        value: |phi, m| m.ellip_e_inc(phi),
    },
    Special {
        name: "J_ν(x)",
        about: "Bessel function of the first kind",
        ranges: [(0.5, 3.0), (0.5, 10.0)],
        value: |v, x| x.bessel_jv(v),
    },
    Special {
        name: "Y_ν(x)",
        about: "Bessel function of the second kind",
        ranges: [(0.0, 2.0), (1.0, 10.0)],
        value: |v, x| x.bessel_yv(v),
    },
    Special {
        name: "I_ν(x)",
        about: "modified Bessel function of the first kind",
        ranges: [(0.5, 3.0), (0.2, 4.0)],
        value: modified_first,
    },
    Special {
        name: "K_ν(x)",
        about: "modified Bessel function of the second kind",
        ranges: [(0.0, 2.0), (0.5, 4.0)],
        value: modified_second,
    },
    Special {
        name: "P(a, x)",
        about: "regularised incomplete gamma function",
        ranges: [(0.5, 5.0), (0.0, 8.0)],
        value: |a, x| a.igamma(x),
    },
];

/// I_ν(x) = Σ_k (x/2)^(2k+ν) / (k! Γ(k+ν+1)) (DLMF 10.25.2); all terms are positive.
fn modified_first(v: f64, x: f64) -> f64 {
    let half = 0.5 * x;
    let mut term = half.powf(v) / Gamma::gamma(&(v + 1.0));
    let mut sum = term;
    for k in 1..60 {
        let k = f64::from(k);
        term *= half * half / (k * (k + v));
        sum += term;
    }
    sum
}

/// K_ν(x) = ∫₀^∞ exp(−x cosh t) cosh(νt) dt (DLMF 10.32.9), by the trapezoidal rule: the integrand falls doubly
/// exponentially, so equal steps converge faster than any power of them.
fn modified_second(v: f64, x: f64) -> f64 {
    const STEP: f64 = 1.0 / 32.0;
    let at = |t: f64| (-x * t.cosh()).exp() * (v * t).cosh();
    STEP * (0.5 * at(0.0) + (1..256).map(|k| at(f64::from(k) * STEP)).sum::<f64>())
}
