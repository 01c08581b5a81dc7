//! Convolution over images, with stride, padding, dilation and groups.

mod direct;
mod fast;
mod gather;
mod kernels;
mod op;
mod plain;
mod planes;
#[cfg(test)]
mod tests;
mod tiles;

use super::{Case, CaseInput, Cases, Registered};
use crate::{Result, Site, error::OpError, graph::Tensor};
use op::{Convolution, Part};

pub(super) const REGISTERED: Registered = Registered {
    name: "conv2d",
    formula: "y[b, o, i, j] = bias[o] + Σ_c,u,v weight[o, c, u, v] x[b, c', i s + u d − p, j s + v d − p]",
    inputs: "x [B, C, H, W]; weight [O, C/groups, KH, KW]; bias [O], optional",
    attributes: "stride = 1, padding = 0, dilation = 1 (a number or a pair each), groups = 1",
    types: "f32, f64",
    source: "LeCun et al. 1989; Yu and Koltun 2016 (dilation)",
    cases: Cases::Listed(|| {
        let case = |name: &str, x: &[usize], w: &[usize], options: Conv2d| {
            Case::new(name, vec![CaseInput::new(x), CaseInput::new(w)], move |t| {
                Ok(vec![t[0].conv2d(&t[1], None, &options)?])
            })
            .tolerance(1e-5)
        };
        let plain = Conv2d::new();
        let biased = Case::new(
            "with a bias",
            vec![CaseInput::new(&[2, 3, 5, 4]), CaseInput::new(&[4, 3, 3, 2]), CaseInput::new(&[4])],
            |t| Ok(vec![t[0].conv2d(&t[1], Some(&t[2]), &Conv2d::new().padding(1))?]),
        )
        .tolerance(1e-5);
        // Small numbers: the sums of 513 products stay near 1, as the tolerance expects.
        let long = Case::new(
            "long sums",
            [[1, 57, 5, 5], [57, 57, 3, 3]].map(|s| CaseInput::between(&s, -0.5, 0.5)).to_vec(),
            |t| Ok(vec![t[0].conv2d(&t[1], None, &Conv2d::new())?]),
        )
        .tolerance(1e-5)
        .first_order();
        vec![
            biased,
            case("one by one", &[2, 3, 3, 3], &[5, 3, 1, 1], plain),
            case("stride and padding", &[1, 2, 7, 6], &[3, 2, 3, 3], plain.stride(2).padding([2, 1])),
            case("dilation", &[1, 3, 7, 9], &[2, 3, 3, 2], plain.dilation(2).padding(3).stride([3, 1])),
            case("depthwise", &[2, 3, 5, 5], &[6, 1, 3, 3], plain.padding(1).groups(3)),
            case("groups", &[1, 4, 4, 5], &[6, 2, 2, 3], plain.groups(2).stride([1, 2])),
            case("more than a tile", &[1, 5, 11, 13], &[67, 5, 3, 3], plain.padding(1)).no_gradient(),
            case("more than a tile in every product", &[3, 17, 9, 7], &[35, 17, 3, 3], plain.padding(1))
                .first_order(),
            case("one by one, a place in two", &[2, 3, 5, 4], &[5, 3, 1, 1], plain.stride([1, 2])),
            case("one by one in groups", &[2, 4, 3, 3], &[6, 2, 1, 1], plain.groups(2)),
            case("one by one, one image", &[1, 6, 4, 5], &[7, 6, 1, 1], plain),
            // Elements of x that no weight meets, and phases of one, two and no taps.
            case("strides beyond the weight", &[2, 3, 9, 8], &[4, 3, 2, 1], plain.stride([3, 2])),
            case("strides and dilations with a factor", &[1, 2, 11, 12], &[3, 2, 3, 4], {
                plain.stride([4, 6]).dilation([2, 4]).padding([3, 5])
            }),
            case("patches", &[2, 3, 8, 12], &[9, 3, 4, 4], plain.stride(4)),
            case("depthwise, many places", &[2, 4, 13, 11], &[4, 1, 3, 3], plain.padding(1).groups(4))
                .first_order(),
            case("depthwise, strided, of two each", &[1, 3, 10, 9], &[6, 1, 5, 3], {
                plain.padding([2, 1]).stride(2).groups(3)
            })
            .first_order(),
            case("a stride and a padding beyond the image", &[1, 2, 3, 3], &[2, 2, 2, 2], {
                plain.stride(7).padding(4)
            }),
            long,
            case("no images", &[0, 2, 4, 4], &[3, 2, 3, 3], plain),
        ]
    }),
};

/// One number for both directions, or one each: (down, across).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair(pub [usize; 2]);

impl From<usize> for Pair {
    fn from(n: usize) -> Self {
        Self([n, n])
    }
}

impl From<[usize; 2]> for Pair {
    fn from(both: [usize; 2]) -> Self {
        Self(both)
    }
}

impl From<(usize, usize)> for Pair {
    fn from((down, across): (usize, usize)) -> Self {
        Self([down, across])
    }
}

/// How a convolution walks the image. Stride, padding and dilation take one number or a pair (down, across).
///
/// ```
/// use knotwork_core::ops::Conv2d;
/// let options = Conv2d::new().stride(2).padding([1, 0]).groups(4);
/// assert_ne!(options, Conv2d::default());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv2d {
    pub(in crate::ops) stride: [usize; 2],
    pub(in crate::ops) padding: [usize; 2],
    pub(in crate::ops) dilation: [usize; 2],
    pub(in crate::ops) groups: usize,
}

impl Default for Conv2d {
    fn default() -> Self {
        Self { stride: [1, 1], padding: [0, 0], dilation: [1, 1], groups: 1 }
    }
}

impl Conv2d {
    /// Stride 1, no padding, dilation 1, one group.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Steps between outputs.
    #[must_use]
    pub fn stride(mut self, stride: impl Into<Pair>) -> Self {
        self.stride = stride.into().0;
        self
    }

    /// Zeros on each side of the image.
    #[must_use]
    pub fn padding(mut self, padding: impl Into<Pair>) -> Self {
        self.padding = padding.into().0;
        self
    }

    /// Steps between the weights of a window.
    #[must_use]
    pub fn dilation(mut self, dilation: impl Into<Pair>) -> Self {
        self.dilation = dilation.into().0;
        self
    }

    /// Channels are split into so many groups that do not mix; as many as channels: a depthwise convolution.
    #[must_use]
    pub fn groups(mut self, groups: usize) -> Self {
        self.groups = groups;
        self
    }
}

impl Tensor {
    /// The convolution (cross-correlation) of images `[B, C, H, W]` with a weight `[O, C/groups, KH, KW]`, plus a bias
    /// `[O]`: `[B, O, OH, OW]`, OH = ⌊(H + 2 padding − dilation (KH − 1) − 1) / stride⌋ + 1, OW alike. The padding
    /// counts as zeros.
    ///
    /// ```
    /// # use knotwork_core::{Device, DType, Graph, HostTensor, ops::Conv2d};
    /// let g = Graph::new();
    /// let x = g.input("x", DType::F32, [1, 1, 1, 3])?;
    /// let w = g.input("w", DType::F32, [1, 1, 1, 2])?;
    /// let y = x.conv2d(&w, None, &Conv2d::new())?;
    /// let mut p = Device::cpu().compile(&g, &[&y], &[])?;
    /// let image = HostTensor::new(&[1.0f32, 2.0, 4.0], [1, 1, 1, 3])?;
    /// let out = p.run([("x", image), ("w", HostTensor::new(&[-1.0f32, 1.0], [1, 1, 1, 2])?)])?.wait()?;
    /// assert_eq!(out[0].as_slice::<f32>()?, &[1.0, 2.0]);
    /// # Ok::<(), knotwork_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Where a stride, dilation or the groups are 0, the groups do not divide C or O, the weight or bias does not fit, the
    /// dilated kernel is larger than the padded image, or the elements are not all f32 or all f64.
    #[track_caller]
    pub fn conv2d(&self, weight: &Self, bias: Option<&Self>, options: &Conv2d) -> Result<Self> {
        let site = Site::here();
        let op = Convolution { part: Part::Forward, options: *options };
        let y = self.graph().apply_one(op, &[self, weight], site)?;
        let Some(bias) = bias else { return Ok(y) };
        let o = &weight.shape().dims()[0];
        if bias.shape().dims() != std::slice::from_ref(o) {
            return Err(OpError {
                op: "conv2d".into(),
                inputs: [self, weight, bias].map(|t| t.meta().to_string()).to_vec(),
                message: format!("the bias has shape {}; the weight gives [{o}]", bias.shape()),
                site,
            }
            .into());
        }
        y.add(&bias.reshape(vec![1.into(), o.clone(), 1.into(), 1.into()])?)
    }
}
