//! Shapes whose dimensions may be named and bound by a run.

use std::{collections::BTreeMap, fmt, sync::Arc};

/// One dimension: a number, a name that a run binds, or a product of both (`8 * batch`).
///
/// ```
/// use knotwork_core::Dim;
/// let batch = Dim::named("batch");
/// assert_eq!((batch.clone() * 8.into()).to_string(), "8*batch");
/// assert_eq!(Dim::from(6).divide(&Dim::from(3)), Some(Dim::from(2)));
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Dim {
    factor: usize,
    names: Vec<Arc<str>>,
}

impl Dim {
    /// A dimension that the feeds of a run bind.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self { factor: 1, names: vec![Arc::from(name)] }
    }

    /// Its number, where it has no name in it.
    #[must_use]
    pub fn fixed(&self) -> Option<usize> {
        self.names.is_empty().then_some(self.factor)
    }

    /// Its name, where it is one name and nothing else.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match (self.factor, self.names.as_slice()) {
            (1, [name]) => Some(name),
            _ => None,
        }
    }

    /// The exact quotient, where there is one.
    #[must_use]
    pub fn divide(&self, by: &Self) -> Option<Self> {
        if by.factor == 0 || !self.factor.is_multiple_of(by.factor) {
            return None;
        }
        let mut names = self.names.clone();
        for n in &by.names {
            names.remove(names.iter().position(|m| m == n)?);
        }
        Some(Self { factor: self.factor / by.factor, names })
    }

    /// Its number under a binding of names, or the first name that is not bound.
    ///
    /// # Errors
    /// The name that the binding lacks.
    pub fn bind(&self, binding: &Binding) -> Result<usize, Arc<str>> {
        self.names.iter().try_fold(self.factor, |n, name| {
            binding.get(name.as_ref()).map(|v| n * v).ok_or_else(|| name.clone())
        })
    }
}

/// The numbers that the names of dimensions stand for in one run.
pub type Binding = BTreeMap<String, usize>;

impl From<usize> for Dim {
    fn from(n: usize) -> Self {
        Self { factor: n, names: Vec::new() }
    }
}

impl From<&Dim> for Dim {
    fn from(d: &Dim) -> Self {
        d.clone()
    }
}

impl std::ops::Mul for Dim {
    type Output = Self;
    fn mul(mut self, rhs: Self) -> Self {
        self.factor *= rhs.factor;
        self.names.extend(rhs.names);
        if self.factor == 0 {
            self.names.clear();
        }
        self.names.sort();
        self
    }
}

impl fmt::Display for Dim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.names.is_empty() || self.factor != 1 {
            write!(f, "{}", self.factor)?;
            if !self.names.is_empty() {
                f.write_str("*")?;
            }
        }
        f.write_str(&self.names.join("*"))
    }
}

impl fmt::Debug for Dim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The dimensions of a tensor, outermost first.
///
/// ```
/// use knotwork_core::{Dim, Shape};
/// let s = Shape::from([Dim::named("batch"), 64.into()]);
/// assert_eq!(s.to_string(), "[batch, 64]");
/// assert_eq!(s.fixed(), None);
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Shape(Vec<Dim>);

impl Shape {
    /// The shape of a scalar.
    #[must_use]
    pub fn scalar() -> Self {
        Self(Vec::new())
    }

    /// The number of dimensions.
    #[must_use]
    pub fn rank(&self) -> usize {
        self.0.len()
    }

    /// The dimensions.
    #[must_use]
    pub fn dims(&self) -> &[Dim] {
        &self.0
    }

    /// The product of the dimensions.
    #[must_use]
    pub fn count(&self) -> Dim {
        self.0.iter().cloned().fold(1.into(), |a, b| a * b)
    }

    /// The dimensions as numbers, where none is named.
    #[must_use]
    pub fn fixed(&self) -> Option<Vec<usize>> {
        self.0.iter().map(Dim::fixed).collect()
    }

    /// The dimensions as numbers under a binding.
    ///
    /// # Errors
    /// The name that the binding lacks.
    pub fn bind(&self, binding: &Binding) -> Result<Vec<usize>, Arc<str>> {
        self.0.iter().map(|d| d.bind(binding)).collect()
    }

    /// The shape that both broadcast to (NumPy's rule: aligned at the end, 1 stretches).
    #[must_use]
    pub fn broadcast(&self, other: &Self) -> Option<Self> {
        let rank = self.rank().max(other.rank());
        let one = Dim::from(1);
        let at =
            |s: &Self, i: usize| (i + s.rank()).checked_sub(rank).map_or(one.clone(), |j| s.0[j].clone());
        (0..rank)
            .map(|i| match (at(self, i), at(other, i)) {
                (a, b) if a == b || b == one => Some(a),
                (a, b) if a == one => Some(b),
                _ => None,
            })
            .collect::<Option<Vec<_>>>()
            .map(Self)
    }

    /// A dimension's index from a signed one: `-1` is the last.
    #[must_use]
    pub fn axis(&self, dim: isize) -> Option<usize> {
        let rank = self.rank() as isize;
        (-rank..rank).contains(&dim).then(|| dim.rem_euclid(rank) as usize)
    }
}

impl<D: Into<Dim>, const N: usize> From<[D; N]> for Shape {
    fn from(dims: [D; N]) -> Self {
        Self(dims.into_iter().map(Into::into).collect())
    }
}

impl From<&[usize]> for Shape {
    fn from(dims: &[usize]) -> Self {
        Self(dims.iter().map(|&d| d.into()).collect())
    }
}

impl From<Vec<usize>> for Shape {
    fn from(dims: Vec<usize>) -> Self {
        Self::from(dims.as_slice())
    }
}

impl From<Vec<Dim>> for Shape {
    fn from(dims: Vec<Dim>) -> Self {
        Self(dims)
    }
}

impl From<&Shape> for Shape {
    fn from(s: &Shape) -> Self {
        s.clone()
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (i, d) in self.0.iter().enumerate() {
            write!(f, "{}{d}", if i == 0 { "" } else { ", " })?;
        }
        f.write_str("]")
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The number of elements of a shape given in numbers.
#[must_use]
pub fn element_count(shape: &[usize]) -> usize {
    shape.iter().product()
}

/// A shape given in numbers, as `[4, 5]`.
#[must_use]
pub fn format_shape(shape: &[usize]) -> String {
    Shape::from(shape).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broadcasting_aligns_at_the_end() {
        let b = Dim::named("b");
        let x = Shape::from([b.clone(), 3.into()]);
        assert_eq!(x.broadcast(&Shape::from([3])), Some(x.clone()));
        assert_eq!(x.broadcast(&Shape::from([1, 1])), Some(x.clone()));
        assert_eq!(x.broadcast(&Shape::from([2, 3])), None);
        assert_eq!(Shape::from([0]).broadcast(&Shape::from([1])), Some(Shape::from([0])));
    }

    #[test]
    fn axes_count_from_both_ends() {
        let s = Shape::from([2, 3]);
        assert_eq!((s.axis(-1), s.axis(0), s.axis(2), s.axis(-3)), (Some(1), Some(0), None, None));
        assert_eq!(Shape::scalar().axis(0), None);
    }

    #[test]
    fn products_of_names_divide() {
        let (a, b) = (Dim::named("a"), Dim::named("b"));
        let p = a.clone() * b.clone() * 6.into();
        assert_eq!(p.divide(&(b * 2.into())), Some(a.clone() * 3.into()));
        assert_eq!(p.divide(&(a.clone() * a)), None);
    }
}
