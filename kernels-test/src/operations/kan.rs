//! KAN layers and their bases.

use knotwork::ops::{Basis, Wavelet};

use super::{Built, Call, Refusal, one, y};

/// The basis that the attributes describe.
fn described(c: &Call<'_>) -> Result<Basis, Refusal> {
    let name = c.attribute("basis", None, |v| v.as_str().map(ToOwned::to_owned))?;
    let count = |name: &str, default| c.attribute(name, default, |v| usize::try_from(v.as_u64()?).ok());
    let range = |default: f64| {
        c.attribute("range", Some((-default, default)), |v| Some((v[0].as_f64()?, v[1].as_f64()?)))
    };
    Ok(match name.as_str() {
        "bspline" => Basis::bspline(count("grid", None)?, count("order", Some(3))?, range(1.0)?)?,
        "rbf" => Basis::rbf(
            count("n", None)?,
            range(2.0)?,
            c.attribute("width", Some(None), |v| Some(v.as_f64()))?,
        )?,
        "chebyshev" => Basis::chebyshev(count("degree", None)?)?,
        "legendre" => Basis::legendre(count("degree", None)?)?,
        "jacobi" => Basis::jacobi(count("degree", None)?, c.number("a", 1.0)?, c.number("b", 1.0)?)?,
        "hermite" => Basis::hermite(count("degree", None)?)?,
        "fourier" => Basis::fourier(count("frequencies", None)?)?,
        "relu_kan" => Basis::relu_kan(count("grid", None)?, count("order", Some(3))?)?,
        "bernstein" => Basis::bernstein(count("degree", None)?)?,
        other => return Err(Refusal::Unknown(format!("basis `{other}`"))),
    })
}

pub(super) fn basis(c: &Call<'_>) -> Built {
    one("phi", c.input("x")?.basis(described(c)?)?)
}

pub(super) fn kan_layer(c: &Call<'_>) -> Built {
    let basis = described(c)?;
    y(c.input("x")?.kan_layer(c.input("coef")?, c.optional("base_weight"), c.optional("bias"), basis)?)
}

pub(super) fn wavelet_kan_layer(c: &Call<'_>) -> Built {
    let name = c.attribute("wavelet", None, |v| v.as_str().map(ToOwned::to_owned))?;
    let all = [Wavelet::MexicanHat, Wavelet::Morlet, Wavelet::Dog];
    let Some(wavelet) = all.into_iter().find(|w| w.to_string() == name) else {
        return Err(Refusal::Unknown(format!("wavelet `{name}`")));
    };
    let (weight, scale) = (c.input("weight")?, c.input("scale")?);
    y(c.input("x")?.wavelet_kan_layer(weight, scale, c.input("translation")?, wavelet)?)
}
