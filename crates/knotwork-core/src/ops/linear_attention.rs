//! Linear attention: a feature map instead of the softmax, so that no [Lq, Lk] matrix is made.

use crate::{HostTensor, Result, Site, error::OpError, graph::Tensor};

/// Positions of a chunk of the causal form.
const CHUNK: usize = 64;

/// What [`Tensor::linear_attention`] applies to queries and keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Feature {
    /// elu(x) + 1.
    #[default]
    Elu1,
    /// max(0, x).
    Relu,
    /// x.
    Identity,
}

impl Feature {
    fn of(self, x: &Tensor) -> Result<Tensor> {
        match self {
            // The exponential never sees a positive x, whose overflow would spoil the gradient.
            Self::Elu1 => x.add(1.0)?.select(&x.gt(0.0)?, x.select(&x.le(0.0)?, 0.0)?.exp()?),
            Self::Relu => x.relu(),
            Self::Identity => Ok(x.clone()),
        }
    }
}

impl Tensor {
    /// φ(q) (φ(k)ᵀ v) for self = q `[.., Lq, D]`, k `[.., Lk, D]`, v `[.., Lk, Dv]` (Katharopoulos et al. 2020).
    /// With `causal`, the sums of query i run up to key i + Lk − Lq: in chunks, with running sums between them. With
    /// `normalize`, divided by φ(q) · Σ φ(k) + 1e-6; a query that sees no key gives 0.
    ///
    /// # Errors
    /// Where the shapes do not fit, or `causal` meets a dimension with a name.
    #[track_caller]
    pub fn linear_attention(
        &self,
        k: &Self,
        v: &Self,
        feature: Feature,
        causal: bool,
        normalize: bool,
    ) -> Result<Self> {
        let site = Site::here();
        let refuse = |message: &str| OpError {
            op: "linear_attention".into(),
            inputs: [self, k, v].map(|t| t.meta().to_string()).to_vec(),
            message: message.into(),
            site,
        };
        let r = self.rank();
        if r < 2 || k.rank() != r || v.rank() != r {
            return Err(refuse("q, k and v need one rank, at least 2").into());
        }
        let (a, b, c) = (self.shape().dims(), k.shape().dims(), v.shape().dims());
        if a[..r - 2] != b[..r - 2] || a[..r - 2] != c[..r - 2] {
            return Err(refuse("the leading dimensions of q, k and v differ").into());
        }
        if a[r - 1] != b[r - 1] || b[r - 2] != c[r - 2] {
            return Err(refuse("q and k need one last dimension, k and v one length").into());
        }
        let Some(dv) = c[r - 1].fixed() else { return Err(refuse("v's last dimension has a name").into()) };
        let (q, k) = (feature.of(self)?, feature.of(k)?);
        // A column of ones behind v: its product is the normalizer.
        let v = if normalize {
            let mut last = vec![0.0; dv + 1];
            last[dv] = 1.0;
            let last = self.graph().tensor(HostTensor::from_f64(v.dtype(), &last, &[dv + 1]))?;
            v.pad(-1, 0, 1)?.add(&last)?
        } else {
            v.clone()
        };
        let y = if causal {
            let (Some(lq), Some(lk)) = (a[r - 2].fixed(), b[r - 2].fixed()) else {
                return Err(refuse("causal attention needs lengths without names").into());
            };
            causal_product(&q, &k, &v, lq, lk)?
        } else {
            q.matmul(&k.transpose(-2, -1)?.matmul(&v)?)?
        };
        if normalize { y.slice(-1, 0, dv)?.div(&y.slice(-1, dv, dv + 1)?.add(1e-6)?) } else { Ok(y) }
    }
}

/// tril(q kᵀ) v with the diagonal at lk − lq: within chunks by products, before them by sums of kᵀ v.
fn causal_product(q: &Tensor, k: &Tensor, v: &Tensor, lq: usize, lk: usize) -> Result<Tensor> {
    // Zeros in front align the ends; zeros behind fill the last chunk.
    let length = lq.max(lk);
    let chunks = length.div_ceil(CHUNK).max(1);
    let rank = q.rank();
    let split = |t: &Tensor, n: usize| {
        let t = t.pad(-2, length - n, chunks * CHUNK - length)?;
        let dims = t.shape().dims();
        let last = dims[rank - 1].clone();
        t.reshape([&dims[..rank - 2], &[chunks.into(), CHUNK.into(), last]].concat())
    };
    let (q, k, v) = (split(q, lq)?, split(k, lk)?, split(v, lk)?);
    let lower = |n: usize, strict: bool| {
        let ones: Vec<f64> =
            (0..n * n).map(|i| f64::from(u8::from(i % n + usize::from(strict) <= i / n))).collect();
        q.graph().tensor(HostTensor::from_f64(q.dtype(), &ones, &[n, n]))
    };
    let within = q.matmul(&k.transpose(-2, -1)?)?.mul(&lower(CHUNK, false)?)?.matmul(&v)?;
    let states = k.transpose(-2, -1)?.matmul(&v)?;
    let dims = states.shape().dims().to_vec();
    let size = dims[rank - 1].fixed().zip(dims[rank].fixed()).map(|(d, dv)| d * dv);
    let y = match size {
        Some(size) if chunks > 1 => {
            let flat = states.reshape([&dims[..rank - 1], &[size.into()]].concat())?;
            let before = lower(chunks, true)?.matmul(&flat)?.reshape(dims)?;
            within.add(&q.matmul(&before)?)?
        }
        _ => within,
    };
    let dims = y.shape().dims();
    let last = dims[rank].clone();
    let whole = [&dims[..rank - 2], &[(chunks * CHUNK).into(), last]].concat();
    y.reshape(whole)?.slice(-2, length - lq, length)
}

#[cfg(test)]
mod tests {
    use super::Feature;
    use crate::{DType, Graph};

    #[test]
    fn errors_name_the_operation() {
        let g = Graph::new();
        let t = |n: &str, shape: [usize; 2]| g.input(n, DType::F32, shape).unwrap();
        let (q, k, v) = (t("q", [2, 3]), t("k", [4, 3]), t("v", [5, 2]));
        let text = q.linear_attention(&k, &v, Feature::Elu1, true, true).unwrap_err().to_string();
        assert!(text.contains("linear_attention") && text.contains("k and v one length"), "{text}");
    }
}
