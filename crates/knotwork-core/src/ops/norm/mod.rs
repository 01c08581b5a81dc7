//! Normalisations: layer, root-mean-square, group and batch.

mod backward;
mod cases;
mod fast;
mod geometry;
mod op;
#[cfg(test)]
mod tests;

pub(super) use backward::leaf;
pub(super) use cases::REGISTERED;

use super::softmax::LONGEST_SERIAL;
use crate::{
    DType, Dim, Result, Site,
    error::OpError,
    graph::Tensor,
    plan::{BindTo, DispatchSpec, Grid, Kernel, KernelRequest, Lowering, Needs, Source},
};
use geometry::{Geometry, Norm, Over};
use op::Normalise;

/// Rows up to this length are one thread's; longer ones a workgroup's.
const SHORT: usize = 32;
/// Longer rows would come near the number of turns that some drivers give the loops of one thread.
const LONGEST: usize = 1 << 22;

/// The variants of a kernel that works by rows.
fn row_variants(
    shader: &'static str,
    norm: &Norm,
    flags: &[&'static str],
    bindings: &[BindTo],
    request: &KernelRequest<'_>,
) -> Result<Vec<Lowering>, String> {
    if request.outputs[0].dtype != DType::F32 {
        return Err(format!("{} runs on the CPU only", request.outputs[0].dtype));
    }
    let geometry = Geometry::new(norm.over, request.inputs[0].layout.shape());
    let (rows, n) = (geometry.rows, geometry.n);
    if n > LONGEST {
        return Err(format!("{n} elements share one mean; the kernel takes {LONGEST} at most"));
    }
    let variant = |name: &'static str, serial: bool| {
        let mut flags = flags.to_vec();
        flags.extend(norm.centred.then_some("centred"));
        flags.extend((norm.over == Over::Batch).then_some("batch"));
        flags.extend(serial.then_some("serial"));
        let dispatch = DispatchSpec {
            kernel: Kernel {
                name: format!("{}_{name}", shader.replace('/', "_")),
                source: Source::Named(shader),
                flags,
                constants: Vec::new(),
                needs: Needs::default(),
            },
            bindings: bindings.to_vec(),
            params: geometry.params(norm.eps),
            grid: Grid::Linear(if serial { rows.div_ceil(256) } else { rows } as u64),
            flat: None,
        };
        Lowering::single(name, dispatch)
    };
    let (serial, group) = (variant("row_a_thread", true), variant("row_a_group", false));
    Ok(if n <= SHORT {
        vec![serial, group]
    } else if n <= LONGEST_SERIAL {
        vec![group, serial]
    } else {
        vec![group]
    })
}

/// A weight or a bias, by the name that messages give it.
type Vector<'a> = (&'static str, Option<&'a Tensor>);

impl Tensor {
    /// (x − mean) / √(var + eps) · weight + bias over the last dimension, of x `[…, C]`, weight `[C]` and bias `[C]`
    /// (Ba, Kiros, Hinton 2016); usually eps = 1e-5. Mean and variance are taken without cancellation; where all of a
    /// row are equal the result is its bias.
    ///
    /// ```
    /// # use knotwork_core::{Device, DType, Graph, HostTensor};
    /// let g = Graph::new();
    /// let y = g.input("x", DType::F32, [1, 2])?.layer_norm(None, None, 0.0)?;
    /// let mut p = Device::cpu().compile(&g, &[&y], &[])?;
    /// let out = p.run([("x", HostTensor::new(&[3.0f32, 7.0], [1, 2])?)])?.wait()?;
    /// assert_eq!(out[0].as_slice::<f32>()?, &[-1.0, 1.0]);
    /// # Ok::<(), knotwork_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Where x is a scalar or neither f32 nor f64, weight or bias is not `[C]` of x's type, or eps is negative or not
    /// finite.
    #[track_caller]
    pub fn layer_norm(&self, weight: Option<&Self>, bias: Option<&Self>, eps: f64) -> Result<Self> {
        let norm = Norm { name: "layer_norm", over: Over::Groups(1), centred: true, eps };
        self.normalise(norm, ("weight", weight), ("bias", bias), Site::here())
    }

    /// x / √(mean(x²) + eps) · weight over the last dimension, of x `[…, C]` and weight `[C]` (Zhang, Sennrich 2019);
    /// usually eps = 1e-6.
    ///
    /// ```
    /// # use knotwork_core::{Device, DType, Graph, HostTensor};
    /// let g = Graph::new();
    /// let y = g.input("x", DType::F32, [1, 2])?.rms_norm(None, 0.0)?;
    /// let mut p = Device::cpu().compile(&g, &[&y], &[])?;
    /// let out = p.run([("x", HostTensor::new(&[2.0f32, -2.0], [1, 2])?)])?.wait()?;
    /// assert_eq!(out[0].as_slice::<f32>()?, &[1.0, -1.0]);
    /// # Ok::<(), knotwork_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Where x is a scalar or neither f32 nor f64, weight is not `[C]` of x's type, or eps is negative or not finite.
    #[track_caller]
    pub fn rms_norm(&self, weight: Option<&Self>, eps: f64) -> Result<Self> {
        let norm = Norm { name: "rms_norm", over: Over::Groups(1), centred: false, eps };
        self.normalise(norm, ("weight", weight), ("bias", None), Site::here())
    }

    /// (x − mean) / √(var + eps) · weight + bias of x `[B, C, …]`, weight `[C]` and bias `[C]`, where each of `groups`
    /// groups of neighbouring channels has its own mean and variance for each of B (Wu, He 2018); usually eps = 1e-5.
    /// With one channel a group it is the instance norm.
    ///
    /// ```
    /// # use knotwork_core::{Device, DType, Graph, HostTensor};
    /// let g = Graph::new();
    /// let y = g.input("x", DType::F32, [1, 4])?.group_norm(2, None, None, 0.0)?;
    /// let mut p = Device::cpu().compile(&g, &[&y], &[])?;
    /// let out = p.run([("x", HostTensor::new(&[3.0f32, 7.0, 20.0, 10.0], [1, 4])?)])?.wait()?;
    /// assert_eq!(out[0].as_slice::<f32>()?, &[-1.0, 1.0, 1.0, -1.0]);
    /// # Ok::<(), knotwork_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Where x is of rank below 2, C is named or no multiple of `groups`, x is neither f32 nor f64, weight or bias is not
    /// `[C]` of x's type, or eps is negative or not finite.
    #[track_caller]
    pub fn group_norm(
        &self,
        groups: usize,
        weight: Option<&Self>,
        bias: Option<&Self>,
        eps: f64,
    ) -> Result<Self> {
        let norm = Norm { name: "group_norm", over: Over::Groups(groups), centred: true, eps };
        self.normalise(norm, ("weight", weight), ("bias", bias), Site::here())
    }

    /// (x − mean) / √(var + eps) · weight + bias of x `[B, C, …]`, weight `[C]` and bias `[C]`, where each channel has its
    /// own mean and variance, over all other dimensions (Ioffe, Szegedy 2015); usually eps = 1e-5. The statistics are
    /// those of this batch, as in training; the variance is that of its elements, without a correction.
    ///
    /// ```
    /// # use knotwork_core::{Device, DType, Graph, HostTensor};
    /// let g = Graph::new();
    /// let y = g.input("x", DType::F32, [2, 2])?.batch_norm(None, None, 0.0)?;
    /// let mut p = Device::cpu().compile(&g, &[&y], &[])?;
    /// let out = p.run([("x", HostTensor::new(&[3.0f32, 20.0, 7.0, 10.0], [2, 2])?)])?.wait()?;
    /// assert_eq!(out[0].as_slice::<f32>()?, &[-1.0, 1.0, 1.0, -1.0]);
    /// # Ok::<(), knotwork_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Where x is of rank below 2 or neither f32 nor f64, weight or bias is not `[C]` of x's type, or eps is negative or
    /// not finite.
    #[track_caller]
    pub fn batch_norm(&self, weight: Option<&Self>, bias: Option<&Self>, eps: f64) -> Result<Self> {
        let norm = Norm { name: "batch_norm", over: Over::Batch, centred: true, eps };
        self.normalise(norm, ("weight", weight), ("bias", bias), Site::here())
    }

    fn normalise(&self, norm: Norm, weight: Vector<'_>, bias: Vector<'_>, site: Site) -> Result<Self> {
        let dims = self.shape().dims();
        let last = matches!(norm.name, "layer_norm" | "rms_norm");
        self.check_norm(&norm, last, &[weight, bias]).map_err(|message| OpError {
            op: norm.name.into(),
            inputs: [Some(self), weight.1, bias.1]
                .into_iter()
                .flatten()
                .map(|t| t.meta().to_string())
                .collect(),
            message,
            site,
        })?;
        let product = |dims: &[Dim]| dims.iter().fold(Dim::from(1), |n, d| n * d.clone());
        let (front, back) = dims.split_at(if last { dims.len() - 1 } else { 1 });
        let flat = vec![product(front), back[0].clone(), product(&back[1..])];
        let op = Normalise { norm, weight: weight.1.is_some(), bias: bias.1.is_some() };
        let x = self.reshape(flat)?;
        let inputs: Vec<&Self> = [Some(&x), weight.1, bias.1].into_iter().flatten().collect();
        self.graph().apply(op, &inputs, site)?.swap_remove(0).reshape(dims.to_vec())
    }

    fn check_norm(&self, norm: &Norm, last: bool, vectors: &[Vector<'_>]) -> Result<(), String> {
        let (dims, least) = (self.shape().dims(), if last { 1 } else { 2 });
        if !matches!(self.dtype(), DType::F32 | DType::F64) {
            return Err(format!("x is {}; it takes f32 or f64; cast first", self.dtype()));
        }
        if dims.len() < least {
            let form = if last { "[…, C]" } else { "[B, C, …]" };
            return Err(format!("x is {}; it takes {form}", self.shape()));
        }
        check_eps(norm.eps)?;
        let channels = &dims[if last { dims.len() - 1 } else { 1 }];
        if let Over::Groups(groups) = norm.over
            && !last
        {
            let Some(count) = channels.fixed() else {
                return Err(format!(
                    "dimension 1 of x is named `{channels}`; only fixed channels form groups"
                ));
            };
            if groups == 0 || count % groups != 0 {
                return Err(format!("{count} channels do not split into {groups} groups of one size"));
            }
        }
        for (name, vector) in vectors {
            if let Some(v) = vector
                && (v.dtype() != self.dtype() || v.shape().dims() != std::slice::from_ref(channels))
            {
                let want = crate::graph::Meta::new(self.dtype(), vec![channels.clone()]);
                return Err(format!("{name} is {}; one number a channel is {want}", v.meta()));
            }
        }
        Ok(())
    }
}

/// A message where `eps` is no small addend.
pub(super) fn check_eps(eps: f64) -> Result<(), String> {
    if eps.is_finite() && eps >= 0.0 {
        return Ok(());
    }
    Err(format!("eps is {eps}; it must be finite and not negative"))
}
