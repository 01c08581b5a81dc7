//! The three bilinear operations of a convolution: each is made of the other two when it is differentiated.

use super::{Conv2d, fast, kernels};
use crate::{
    DType, Dim, Layout, Result, Site,
    autodiff::GradContext,
    cpu::CpuIo,
    graph::{Meta, Tensor},
    ops::{Cost, Op, Reference},
    plan::{KernelRequest, Lowering},
};

/// What is computed from the other two of x, weight and y.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// y of x and weight.
    Forward,
    /// The gradient to x, of these height and width, from dy and weight.
    Input([usize; 2]),
    /// The gradient to the weight, with this window, from x and dy.
    Weight([usize; 2]),
}

#[derive(Clone, Debug)]
pub(super) struct Convolution {
    pub part: Part,
    pub options: Conv2d,
}

/// All sizes of one convolution.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    pub images: usize,
    pub groups: usize,
    /// Channels of x and of y in one group.
    pub c: usize,
    pub o: usize,
    pub image: [usize; 2],
    pub kernel: [usize; 2],
    pub out: [usize; 2],
}

impl Convolution {
    /// From the shapes of both inputs and the output.
    pub fn sizes(&self, a: &[usize], b: &[usize], to: &[usize]) -> Sizes {
        let (x, w, y) = match self.part {
            Part::Forward => (a, b, to),
            Part::Input(_) => (to, b, a),
            Part::Weight(_) => (a, to, b),
        };
        let groups = self.options.groups;
        Sizes {
            images: x[0],
            groups,
            c: w[1],
            o: w[0] / groups,
            image: [x[2], x[3]],
            kernel: [w[2], w[3]],
            out: [y[2], y[3]],
        }
    }

    /// Height and width of y.
    fn out(&self, image: [usize; 2], kernel: [usize; 2]) -> Result<[usize; 2], String> {
        let o = &self.options;
        let mut out = [0; 2];
        for (d, name) in ["height", "width"].into_iter().enumerate() {
            let padded = o.padding[d].checked_mul(2).and_then(|p| p.checked_add(image[d]));
            let reach = kernel[d].checked_sub(1).and_then(|k| k.checked_mul(o.dilation[d])?.checked_add(1));
            let limit = u32::MAX as usize / 2;
            let (Some(padded), Some(reach)) = (padded.filter(|&n| n <= limit), reach) else {
                return Err(format!(
                    "the {name}s {} of x (padded by {}) and {} of the weight (dilated by {}) must be at least 1 \
                     for the weight, and at most {limit}",
                    image[d], o.padding[d], kernel[d], o.dilation[d]
                ));
            };
            if reach > padded {
                return Err(format!(
                    "the weight's {name} reaches over {reach} elements ({} with dilation {}), but the padded x has \
                     only {padded} ({} + 2 × {})",
                    kernel[d], o.dilation[d], image[d], o.padding[d]
                ));
            }
            out[d] = (padded - reach) / o.stride[d] + 1;
        }
        Ok(out)
    }
}

fn fixed(meta: &Meta, name: &str, from: usize) -> Result<Vec<usize>, String> {
    meta.shape.dims()[from..]
        .iter()
        .map(|d| d.fixed().ok_or_else(|| format!("{name} is {}; only its batch may be named", meta.shape)))
        .collect()
}

impl Op for Convolution {
    fn name(&self) -> &str {
        match self.part {
            Part::Forward => "conv2d",
            Part::Input(_) => "conv2d_input_grad",
            Part::Weight(_) => "conv2d_weight_grad",
        }
    }

    fn attributes(&self) -> String {
        let o = &self.options;
        format!(
            "{:?} stride={:?} padding={:?} dilation={:?} groups={}",
            self.part, o.stride, o.padding, o.dilation, o.groups
        )
    }

    fn infer(&self, inputs: &[Meta]) -> Result<Vec<Meta>, String> {
        let (a, b, o) = (&inputs[0], &inputs[1], &self.options);
        if !matches!(a.dtype, DType::F32 | DType::F64) || a.dtype != b.dtype {
            return Err(format!(
                "it takes f32 or f64, both alike, got {} and {}; cast first",
                a.dtype, b.dtype
            ));
        }
        for (name, pair) in [("stride", o.stride), ("dilation", o.dilation)] {
            if pair.contains(&0) {
                return Err(format!("the {name} is {pair:?}; it must be at least 1"));
            }
        }
        if a.shape.rank() != 4 || b.shape.rank() != 4 {
            return Err(format!(
                "x must be [B, C, H, W] and the weight [O, C/groups, KH, KW], not {} and {}",
                a.shape, b.shape
            ));
        }
        let batch = a.shape.dims()[0].clone();
        let dims = |batch: Dim, rest: [usize; 3]| [vec![batch], rest.map(Dim::from).to_vec()].concat();
        let split = |n: usize, what: &str| match n.checked_rem(o.groups) {
            Some(0) => Ok(n / o.groups),
            Some(_) => Err(format!("{} groups do not divide the {n} channels of {what}", o.groups)),
            None => Err("there are 0 groups; it takes at least 1".to_owned()),
        };
        let shape = match self.part {
            Part::Forward => {
                let (x, w) = (fixed(a, "x", 1)?, fixed(b, "the weight", 0)?);
                let c = split(x[0], "x")?;
                split(w[0], "the weight (its outputs)")?;
                if w[1] != c {
                    return Err(format!(
                        "the weight takes {} channels a group; x has {} in {} groups, {c} a group",
                        w[1], x[0], o.groups
                    ));
                }
                let out = self.out([x[1], x[2]], [w[2], w[3]])?;
                dims(batch, [w[0], out[0], out[1]])
            }
            Part::Input(image) => {
                let (y, w) = (fixed(a, "dy", 1)?, fixed(b, "the weight", 0)?);
                split(w[0], "the weight (its outputs)")?;
                let out = self.out(image, [w[2], w[3]])?;
                if y != [w[0], out[0], out[1]] {
                    return Err(format!("dy is {}, but y has {} channels of {out:?}", a.shape, w[0]));
                }
                dims(batch, [w[1] * o.groups, image[0], image[1]])
            }
            Part::Weight(kernel) => {
                let (x, y) = (fixed(a, "x", 1)?, fixed(b, "dy", 1)?);
                let out = self.out([x[1], x[2]], kernel)?;
                split(y[0], "dy")?;
                if y[1..] != out || b.shape.dims()[0] != batch {
                    return Err(format!("dy is {}, but y has {batch} images of {out:?}", b.shape));
                }
                dims(y[0].into(), [split(x[0], "x")?, kernel[0], kernel[1]])
            }
        };
        Ok(vec![Meta::new(a.dtype, shape)])
    }

    /// One loop nest: each place where a weight meets an element of x adds to an element of y, and each of the three is
    /// the sum over the other two. The padding is zeros that are multiplied like any others.
    fn reference(&self, inputs: &[Reference], outputs: &mut [Reference]) -> Result<(), String> {
        let s = self.sizes(&inputs[0].shape, &inputs[1].shape, &outputs[0].shape);
        let (o, [a, b]) = (&self.options, [&inputs[0].data, &inputs[1].data]);
        let to = &mut outputs[0].data;
        to.fill(0.0);
        let [kh, kw] = s.kernel;
        for image in 0..s.images {
            for (group, channel) in (0..s.groups).flat_map(|g| (0..s.o).map(move |c| (g, c))) {
                let out_channel = group * s.o + channel;
                for place in 0..s.out[0] * s.out[1] {
                    let at_y = (image * s.groups * s.o + out_channel) * s.out[0] * s.out[1] + place;
                    for tap in 0..s.c * kh * kw {
                        let at_w = out_channel * s.c * kh * kw + tap;
                        let row = place / s.out[1] * o.stride[0] + tap / kw % kh * o.dilation[0];
                        let column = place % s.out[1] * o.stride[1] + tap % kw * o.dilation[1];
                        let inside = (o.padding[0]..o.padding[0] + s.image[0]).contains(&row)
                            && (o.padding[1]..o.padding[1] + s.image[1]).contains(&column);
                        let at_x = || {
                            let plane = (image * s.groups + group) * s.c + tap / (kh * kw);
                            (plane * s.image[0] + row - o.padding[0]) * s.image[1] + column - o.padding[1]
                        };
                        match self.part {
                            Part::Forward => to[at_y] += if inside { a[at_x()] } else { 0.0 } * b[at_w],
                            Part::Weight(_) => to[at_w] += if inside { a[at_x()] } else { 0.0 } * b[at_y],
                            Part::Input(_) if inside => to[at_x()] += a[at_y] * b[at_w],
                            Part::Input(_) => {}
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn cpu(&self, io: &mut CpuIo<'_>) -> Result<bool, String> {
        let s = self.sizes(io.inputs[0].layout.shape(), io.inputs[1].layout.shape(), io.outputs[0].shape);
        let (Some(a), Some(b)) = (io.inputs[0].f32(), io.inputs[1].f32()) else { return Ok(false) };
        let Some(to) = io.outputs[0].f32() else { return Ok(false) };
        fast::run(self.part, &s, &self.options, a, b, to);
        Ok(true)
    }

    fn kernels(&self, request: &KernelRequest<'_>) -> Result<Vec<Lowering>, String> {
        kernels::lower(self, request)
    }

    fn emits(&self) -> bool {
        true
    }

    fn grad(&self, context: &GradContext<'_>) -> Result<Vec<Option<Tensor>>> {
        let (a, b, g) = (&context.inputs[0], &context.inputs[1], context.cotangent()?);
        let spread = |t: &Tensor| [2, 3].map(|d: usize| t.shape().dims()[d].fixed().unwrap_or(0));
        let part = |part: Part, from: [&Tensor; 2], wanted: bool| {
            let op = Self { part, options: self.options };
            wanted.then(|| g.graph().apply_one(op, &from, Site::here())).transpose()
        };
        let (to_a, to_b) = (context.wanted[0], context.wanted[1]);
        Ok(match self.part {
            Part::Forward => {
                let dx = part(Part::Input(spread(a)), [g, b], to_a)?;
                vec![dx, part(Part::Weight(spread(b)), [a, g], to_b)?]
            }
            Part::Input(_) => {
                vec![part(Part::Forward, [g, b], to_a)?, part(Part::Weight(spread(b)), [g, a], to_b)?]
            }
            Part::Weight(_) => {
                vec![part(Part::Input(spread(a)), [b, g], to_a)?, part(Part::Forward, [a, g], to_b)?]
            }
        })
    }

    fn cost(&self, inputs: &[(DType, Layout)], outputs: &[(DType, Layout)]) -> Cost {
        let s = self.sizes(inputs[0].1.shape(), inputs[1].1.shape(), outputs[0].1.shape());
        let macs = s.images * s.groups * s.o * s.c * s.kernel[0] * s.kernel[1] * s.out[0] * s.out[1];
        let bytes = inputs.iter().chain(outputs).map(|(d, l)| (d.bytes() * l.count()) as f64).sum();
        Cost { flops: 2.0 * macs as f64, bytes }
    }
}
