//! Convolutions whose every weight is a learned function of one variable.

mod builder;
#[cfg(test)]
mod tests;

use std::fmt;

use knotwork_core::{Dim, Site, Tensor, graph::with_provenance, ops::Basis};

pub use builder::{Each, KanConvBuilder};

use crate::{Error, Result, kan::Base};

/// A KAN convolution over sequences; see [`KanConv`].
pub type KanConv1d = KanConv<1>;

/// A KAN convolution over images; see [`KanConv`].
pub type KanConv2d = KanConv<2>;

/// A convolution over D directions whose weights are learned functions of one variable, those of a [`Kan`](crate::Kan)'s edges:
///
/// y\[b, o, p\] = bias_o + Σ_i Σ_t φ_oit(x\[b, i, p · stride + t · dilation − padding\]),
/// φ(x) = w β(x) + Σ_m c_m φ_m(x),
///
/// over the channels i of o's group and the taps t of the kernel. x is [B, C, L] ([`KanConv1d`]) or [B, C, H, W]
/// ([`KanConv2d`]), y [B, O, L'] or [B, O, H', W'] with L' = ⌊(L + 2 padding − dilation (kernel − 1) − 1) / stride⌋ + 1.
///
/// **Padding.** x is padded with zeros, so a padded place contributes φ(0), not 0: φ(0) is learned like any other value. The
/// public KAN convolutions pad so too. (A bias cannot take its place: at an edge it would count once for fewer taps.)
///
/// **Parameters**, in the order in which kernels read them: `name.coef` [groups, taps, C / groups, n, O / groups], taps
/// row by row, n the functions of the basis; `name.base` [groups, taps, C / groups, O / groups] unless there is no base;
/// `name.bias` `[O]` where it is asked for.
///
/// **Memory and time.** No basis value is ever in memory. Taps are summed one after the other, each a
/// [`kan_layer`](Tensor::kan_layer) over all places at once that adds to the sum in its store: beside x and y there are x with
/// its channels last and, for one tap at a time, what that tap sees of it, [B, places, C / groups], so no unfolded x (im2col).
/// A backward pass makes what taps see again instead of keeping it. Gradients to x wait, a tap's each of the size of x, until a
/// kernel adds as many as it has buffers for: up to 7 on GPUs with 8 buffers, up to 16 elsewhere, however many taps there
/// are. A group's taps are dispatches of their own, so as many groups as channels (depthwise) cost C × taps dispatches.
///
/// Sources: Bodner et al. 2024, "Convolutional Kolmogorov–Arnold Networks"; Drokin 2024, "Kolmogorov–Arnold Convolutions".
///
/// ```
/// use knotwork_core::{DType, Device, Graph, HostTensor};
/// use knotwork_nn::layers::KanConv2d;
/// let g = Graph::new();
/// let x = g.input("x", DType::F32, [2, 3, 8, 8])?;
/// let layer = KanConv2d::new(&g, "conv", 3, 6, 3).stride(2).padding(1).grid(4).bias(true).seed(7).build()?;
/// let y = layer.forward(&x)?;
/// assert_eq!(y.shape().to_string(), "[2, 6, 4, 4]");
/// let dx = y.square()?.mean(&[0, 1, 2, 3], false)?.grad(&[&x])?;
/// let mut program = Device::cpu().compile(&g, &[&y, &dx[0]], &[])?;
/// let out = program.run([("x", HostTensor::zeros(DType::F32, [2, 3, 8, 8]))])?.wait()?;
/// assert!(out[0].to_f64().iter().all(|y| y.is_finite()));
/// # Ok::<(), knotwork_nn::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct KanConv<const D: usize> {
    name: String,
    inputs: usize,
    outputs: usize,
    window: Window<D>,
    basis: Basis,
    base: Base,
    coef: Tensor,
    base_weight: Option<Tensor>,
    bias: Option<Tensor>,
}

/// How a kernel walks over x.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Window<const D: usize> {
    kernel: [usize; D],
    stride: [usize; D],
    padding: [usize; D],
    dilation: [usize; D],
    groups: usize,
}

impl<const D: usize> Window<D> {
    /// The number of taps.
    fn taps(&self) -> usize {
        self.kernel.iter().product()
    }

    /// Where each tap is, row by row.
    fn places(&self) -> impl Iterator<Item = [usize; D]> + use<D> {
        let kernel = self.kernel;
        (0..self.taps()).map(move |mut tap| {
            let mut at = [0; D];
            for d in (0..D).rev() {
                (at[d], tap) = (tap % kernel[d], tap / kernel[d]);
            }
            at
        })
    }

    /// The elements that the kernel reaches over along a direction.
    fn reach(&self, d: usize) -> Option<usize> {
        self.dilation[d].checked_mul(self.kernel[d] - 1)?.checked_add(1)
    }
}

impl<const D: usize> KanConv<D> {
    /// A layer from `inputs` channels to `outputs`, with a kernel of that size (one number, or one for each direction). Unless
    /// set otherwise it has stride 1, no padding, dilation 1, one group, no bias, cubic splines on 5 intervals over [−1, 1]
    /// and the base silu.
    #[must_use]
    #[expect(clippy::new_ret_no_self, reason = "a layer is made by its builder")]
    pub fn new(
        graph: &knotwork_core::Graph,
        name: &str,
        inputs: usize,
        outputs: usize,
        kernel: impl Into<Each<D>>,
    ) -> KanConvBuilder<D> {
        KanConvBuilder::new(graph, name, inputs, outputs, kernel.into().0)
    }

    /// The layer of x [B, C, …]: [B, O, …].
    ///
    /// # Errors
    /// Where x has another rank, another number of channels or another type, any of its sizes but the batch's is a name, or
    /// the kernel reaches over more than the padded x.
    #[track_caller]
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let site = Site::here();
        let out = self.out(x)?;
        with_provenance(site, || self.apply(x, out))
    }

    /// The sizes of y.
    #[track_caller]
    fn out(&self, x: &Tensor) -> Result<[usize; D]> {
        let no = |what: String| Err(Error::setting(format!("KanConv{D}d `{}`: {what}", self.name)));
        let dims = x.shape().dims();
        if dims.len() != D + 2 {
            let want = ["[B, C, L]", "[B, C, H, W]"].get(D - 1).unwrap_or(&"[B, C, …]");
            return no(format!("x is {}; it must be {want}", x.meta()));
        }
        if dims[1].fixed() != Some(self.inputs) {
            return no(format!("x is {}; its dimension 1 must be the {} channels", x.meta(), self.inputs));
        }
        if x.dtype() != self.coef.dtype() {
            return no(format!("x is {}, the layer is {}", x.meta(), self.coef.dtype()));
        }
        let w = &self.window;
        let mut out = [0; D];
        for d in 0..D {
            let Some(size) = dims[d + 2].fixed() else {
                return no(format!("x is {}; only its batch may have a name in place of a size", x.meta()));
            };
            let padded = w.padding[d].checked_mul(2).and_then(|p| p.checked_add(size));
            let (Some(padded), Some(reach)) = (padded, w.reach(d)) else {
                return no(format!("padding {} or dilation {} is too large", w.padding[d], w.dilation[d]));
            };
            if reach > padded {
                return no(format!(
                    "along dimension {} the kernel reaches over {reach} elements ({} with dilation {}), the padded x has only \
                     {padded} ({size} + 2 × {})",
                    d + 2,
                    w.kernel[d],
                    w.dilation[d],
                    w.padding[d]
                ));
            }
            out[d] = (padded - reach) / w.stride[d] + 1;
        }
        Ok(out)
    }

    fn apply(&self, x: &Tensor, out: [usize; D]) -> Result<Tensor> {
        let last: Vec<usize> = std::iter::once(0).chain(2..D + 2).chain([1]).collect();
        let mut x = x.permute(&last)?;
        for d in 0..D {
            let w = &self.window;
            let size = x.shape().dims()[d + 1].fixed().unwrap_or(0);
            // As much behind as every tap's places times the stride need: what is beyond the last place is never read.
            let end = w.dilation[d] * (w.kernel[d] - 1) + out[d] * w.stride[d];
            let after = w.padding[d].max(end.saturating_sub(w.padding[d] + size));
            if w.padding[d] + after > 0 {
                x = x.pad(d as isize + 1, w.padding[d], after)?;
            }
        }
        let mut groups = Vec::with_capacity(self.window.groups);
        for group in 0..self.window.groups {
            groups.push(self.group(&x, group, out)?);
        }
        let mut y = match &groups[..] {
            [one] => one.clone(),
            _ => Tensor::concat(&groups.iter().collect::<Vec<_>>(), -1)?,
        };
        if let Some(bias) = &self.bias {
            y = y.add(bias)?;
        }
        let first: Vec<usize> = [0, D + 1].into_iter().chain(1..D + 1).collect();
        Ok(y.permute(&first)?)
    }

    /// The sum over all taps of one group's channels: [B, places …, O / groups].
    fn group(&self, x: &Tensor, group: usize, out: [usize; D]) -> Result<Tensor> {
        let w = &self.window;
        let (wide, n) = (self.inputs / w.groups, self.basis.count());
        let high = self.outputs / w.groups;
        let mut sum: Option<Tensor> = None;
        for (tap, at) in w.places().enumerate() {
            let of = |t: &Tensor, shape: &[usize]| {
                t.slice(0, group, group + 1)?.slice(1, tap, tap + 1)?.reshape(shape)
            };
            let coef = of(&self.coef, &[wide, n, high])?;
            let base = self.base_weight.as_ref().map(|b| of(b, &[wide, high])).transpose()?;
            // What a tap sees of x would be kept for the backward pass, an unfolded x in all: it is made again instead.
            let y = x.graph().checkpoint(|| {
                let x = self.seen(x, group, at, out)?;
                match (&base, self.base) {
                    (Some(base), Base::Silu) => x.kan_layer_native(&coef, Some(base), None, self.basis),
                    (Some(base), other) => {
                        let y = x.kan_layer_native(&coef, None, None, self.basis)?;
                        y.add(&other.of_tensor(&x).map_err(core)?.matmul(base)?)
                    }
                    (None, _) => x.kan_layer_native(&coef, None, None, self.basis),
                }
            })?;
            sum = Some(match sum {
                Some(sum) => sum.add(&y)?,
                None => y,
            });
        }
        sum.ok_or_else(|| Error::setting(format!("KanConv{D}d `{}`: there is no tap", self.name)))
    }

    /// What a tap of a group sees of x [B, …, C], padded: a view [B, places …, C / groups].
    fn seen(
        &self,
        x: &Tensor,
        group: usize,
        at: [usize; D],
        out: [usize; D],
    ) -> knotwork_core::Result<Tensor> {
        let w = &self.window;
        let wide = self.inputs / w.groups;
        let mut x = x.slice(-1, group * wide, (group + 1) * wide)?;
        for d in 0..D {
            let (dim, begin, stride) = (d as isize + 1, at[d] * w.dilation[d], w.stride[d]);
            x = x.slice(dim, begin, begin + out[d] * stride)?;
            if stride > 1 {
                // Every stride-th element: the first of each row of `stride`.
                let dims = x.shape().dims().to_vec();
                let (before, after) = (&dims[..=d], &dims[d + 2..]);
                let rows: [Dim; 2] = [out[d].into(), stride.into()];
                x = x.reshape([before, &rows, after].concat())?.slice(dim + 1, 0, 1)?;
                x = x.reshape([before, &rows[..1], after].concat())?;
            }
        }
        Ok(x)
    }

    /// The coefficients, [groups, taps, C / groups, n, O / groups].
    #[must_use]
    pub fn coef(&self) -> &Tensor {
        &self.coef
    }

    /// The weights of the base, [groups, taps, C / groups, O / groups].
    #[must_use]
    pub fn base_weight(&self) -> Option<&Tensor> {
        self.base_weight.as_ref()
    }

    /// The bias, `[O]`.
    #[must_use]
    pub fn bias(&self) -> Option<&Tensor> {
        self.bias.as_ref()
    }

    /// The functions that weights are sums of.
    #[must_use]
    pub fn basis(&self) -> &Basis {
        &self.basis
    }

    /// All its parameters.
    #[must_use]
    pub fn parameters(&self) -> Vec<&Tensor> {
        std::iter::once(&self.coef).chain(&self.base_weight).chain(&self.bias).collect()
    }
}

/// An error of this crate where one of the core's is asked for: a base gives no others.
fn core(error: Error) -> knotwork_core::Error {
    match error {
        Error::Core(error) => error,
        other => knotwork_core::Error::Graph { message: other.to_string(), site: Site::here() },
    }
}

impl<const D: usize> fmt::Display for KanConv<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Window { kernel, stride, padding, dilation, groups } = self.window;
        write!(f, "KanConv{D}d {} to {}, kernel {kernel:?}, stride {stride:?}", self.inputs, self.outputs)?;
        write!(f, ", padding {padding:?}, dilation {dilation:?}, groups {groups}, {}", self.basis)
    }
}
