//! Formulas in their simplest equal form.

use super::{
    super::{
        Function,
        symmetry::{Parity, Symmetry},
    },
    Expression::{self, Apply, Constant, Pi, Product, Sum, Variable},
    evaluate::pi,
};

/// An e to this power, or its inverse, may be a factor without losing digits.
const EXPONENT: f64 = 50.0;

impl Expression {
    /// An equal formula, shorter where these rules make it so: numbers are folded, zeros and ones dropped, sums and products
    /// flattened, terms that differ only in their factor added, a factor multiplied into a sum, affine chains merged; numbers are
    /// drawn out of powers, logarithms and `exp`, signs out of even and odd functions, whole periods out of periodic ones.
    ///
    /// Equal to rounding wherever the formula before was finite; 0 times what is nowhere defined is 0.
    #[must_use]
    pub fn simplified(&self) -> Self {
        match self {
            Constant(v) => Constant(v + 0.0),
            Pi { numerator, denominator } => Constant(pi(*numerator, *denominator)),
            Variable(_) => self.clone(),
            Sum(parts) => sum(parts.iter().map(Self::simplified)),
            Product(parts) => product(parts.iter().map(Self::simplified)),
            Apply(f, argument) => apply(f, argument.simplified()),
        }
    }
}

/// A simplified formula as a factor and the rest; the rest of a number is `None`.
fn factored(e: Expression) -> (f64, Option<Expression>) {
    match e {
        Constant(v) => (v, None),
        Product(mut parts) => match parts.first() {
            Some(&Constant(v)) => {
                parts.remove(0);
                let rest = if parts.len() == 1 { parts.remove(0) } else { Product(parts) };
                (v, Some(rest))
            }
            _ => (1.0, Some(Product(parts))),
        },
        other => (1.0, Some(other)),
    }
}

/// A factor times a simplified formula that is no number.
fn scaled(factor: f64, rest: Expression) -> Expression {
    if factor == 0.0 {
        return Constant(0.0);
    }
    match rest {
        rest if factor == 1.0 => rest,
        Sum(parts) => sum(parts.into_iter().map(|p| {
            let (own, rest) = factored(p);
            rest.map_or(Constant(factor * own), |rest| scaled(factor * own, rest))
        })),
        Product(mut parts) => {
            parts.insert(0, Constant(factor));
            Product(parts)
        }
        other => Product(vec![Constant(factor), other]),
    }
}

fn sum(parts: impl IntoIterator<Item = Expression>) -> Expression {
    let mut constant = 0.0;
    let mut terms: Vec<(f64, Expression)> = Vec::new();
    let flat = parts.into_iter().flat_map(|p| if let Sum(inner) = p { inner } else { vec![p] });
    for part in flat {
        match factored(part) {
            (v, None) => constant += v,
            (v, Some(rest)) => match terms.iter_mut().find(|t| t.1 == rest) {
                Some(term) => term.0 += v,
                None => terms.push((v, rest)),
            },
        }
    }
    let mut out: Vec<Expression> =
        terms.into_iter().filter(|t| t.0 != 0.0).map(|(v, rest)| scaled(v, rest)).collect();
    if constant != 0.0 || out.is_empty() {
        out.push(Constant(constant + 0.0));
    }
    if out.len() == 1 { out.remove(0) } else { Sum(out) }
}

fn product(parts: impl IntoIterator<Item = Expression>) -> Expression {
    let mut factor = 1.0;
    let mut rest: Vec<Expression> = Vec::new();
    for part in parts {
        let (own, part) = factored(part);
        factor *= own;
        match part {
            Some(Product(inner)) => rest.extend(inner),
            Some(other) => rest.push(other),
            None => {}
        }
    }
    match rest.len() {
        0 => Constant(factor + 0.0),
        1 => scaled(factor, rest.remove(0)),
        _ => scaled(factor, Product(rest)),
    }
}

/// f of a simplified argument.
fn apply(f: &Function, argument: Expression) -> Expression {
    match f.symmetry() {
        Symmetry::Zero => return Constant(0.0),
        Symmetry::Linear => return argument,
        _ => {}
    }
    if let Constant(v) = argument {
        let value = f.value(v);
        // What is not defined stays to be seen.
        return if value.is_finite() { Constant(value + 0.0) } else { Apply(f.clone(), Box::new(argument)) };
    }
    let whole = |argument: Expression| Apply(f.clone(), Box::new(argument));
    match f.symmetry() {
        Symmetry::Power { degree, parity } => {
            let (factor, rest) = split(argument);
            let size = factor.abs().powf(degree);
            if !size.is_finite() || size == 0.0 && degree != 0.0 {
                return mirrored(f, parity, scaled(factor, rest));
            }
            let inner = if factor < 0.0 { scaled(-1.0, rest) } else { rest };
            product([Constant(size), mirrored(f, parity, inner)])
        }
        Symmetry::Logarithm => {
            let (factor, rest) = split(argument);
            let inner = if factor < 0.0 { scaled(-1.0, rest) } else { rest };
            sum([whole(inner), Constant(factor.abs().ln())])
        }
        Symmetry::Exponential => match argument {
            Sum(mut parts) => match parts.last() {
                Some(&Constant(v)) if v.abs() <= EXPONENT => {
                    parts.pop();
                    product([Constant(v.exp()), whole(sum(parts))])
                }
                _ => whole(Sum(parts)),
            },
            other => whole(other),
        },
        Symmetry::Periodic { shift, flips, parity } => match argument {
            Sum(mut parts) => {
                let turns = match parts.last() {
                    Some(Constant(v)) => (v / shift).round(),
                    _ => 0.0,
                };
                if turns == 0.0 || turns.abs() > 1e6 {
                    return mirrored(f, parity, Sum(parts));
                }
                parts.push(Constant(-turns * shift));
                let sign = if flips && turns % 2.0 != 0.0 { -1.0 } else { 1.0 };
                product([Constant(sign), mirrored(f, parity, sum(parts))])
            }
            other => mirrored(f, parity, other),
        },
        Symmetry::Mirror(parity) => mirrored(f, parity, argument),
        _ => whole(argument),
    }
}

/// An argument that is no number as a factor and the rest; a sum is left whole.
fn split(argument: Expression) -> (f64, Expression) {
    match factored(argument) {
        (factor, Some(rest)) => (factor, rest),
        (factor, None) => (1.0, Constant(factor)),
    }
}

/// f(argument), without the minus of its first term where f(−u) is given by f(u).
fn mirrored(f: &Function, parity: Parity, argument: Expression) -> Expression {
    let first = if let Sum(parts) = &argument { parts.first() } else { Some(&argument) };
    let negative = matches!(first, Some(Product(p)) if matches!(p.first(), Some(Constant(v)) if *v < 0.0));
    if !negative || parity == Parity::None {
        return Apply(f.clone(), Box::new(argument));
    }
    let flipped = Apply(
        f.clone(),
        Box::new(match argument {
            Sum(parts) => scaled(-1.0, Sum(parts)),
            other => product([Constant(-1.0), other]),
        }),
    );
    match parity {
        Parity::Sum(s) => sum([Constant(s), scaled(-1.0, flipped)]),
        _ => flipped,
    }
}
