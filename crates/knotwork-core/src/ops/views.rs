//! Views: the same elements seen through another layout. The planner folds them; they are never dispatches.

use std::sync::Arc;

use super::{Case, CaseInput, Cases, Op, Reference, Registered};
use crate::{
    DType, Dim, Layout, Result, Shape, Site,
    autodiff::GradContext,
    error::OpError,
    graph::{Meta, Tensor},
    plan::{KernelRequest, Lowering},
    tensor::Binding,
};

/// The reference of every view: gather by its layout.
fn gather(op: &dyn Op, inputs: &[Reference], outputs: &mut [Reference]) -> Result<(), String> {
    let from = Layout::contiguous(&inputs[0].shape);
    let layout = op.view(&from, &outputs[0].shape).flatten().ok_or("a contiguous input always has a view")?;
    for (out, at) in outputs[0].data.iter_mut().zip(layout.positions()) {
        *out = inputs[0].data[at];
    }
    Ok(())
}

macro_rules! view_op {
    () => {
        fn reference(&self, inputs: &[Reference], outputs: &mut [Reference]) -> Result<(), String> {
            gather(self, inputs, outputs)
        }

        fn kernels(&self, _: &KernelRequest<'_>) -> Result<Vec<Lowering>, String> {
            Err("a view is no dispatch".into())
        }

        fn accepts(&self, _: usize, _: &Layout) -> bool {
            true
        }
    };
}

fn bind_shape(shape: &Shape, binding: &Binding) -> Result<Shape, Arc<str>> {
    Ok(shape.bind(binding)?.into())
}

/// Stretched to a shape that the input broadcasts to.
#[derive(Clone, Debug)]
pub(crate) struct Expand(pub Shape);

impl Op for Expand {
    fn name(&self) -> &str {
        "expand"
    }

    fn attributes(&self) -> String {
        self.0.to_string()
    }

    fn infer(&self, inputs: &[Meta]) -> Result<Vec<Meta>, String> {
        match inputs[0].shape.broadcast(&self.0) {
            Some(s) if s == self.0 => Ok(vec![Meta::new(inputs[0].dtype, &self.0)]),
            _ => Err(format!("{} does not broadcast to {}", inputs[0].shape, self.0)),
        }
    }

    view_op!();

    fn view(&self, input: &Layout, output: &[usize]) -> Option<Option<Layout>> {
        Some(Some(input.expand(output)))
    }

    fn grad(&self, context: &GradContext<'_>) -> Result<Vec<Option<Tensor>>> {
        let from = context.inputs[0].shape();
        let new = self.0.rank() - from.rank();
        let stretched: Vec<isize> = (0..self.0.rank())
            .filter(|&d| d < new || from.dims()[d - new] != self.0.dims()[d])
            .map(|d| d as isize)
            .collect();
        let g = context.cotangent()?;
        let summed = match g.dtype() {
            _ if stretched.is_empty() => g.clone(),
            // f16 is for storage: sums are f32.
            DType::F16 => g.cast(DType::F32)?.sum(&stretched, true)?.cast(DType::F16)?,
            _ => g.sum(&stretched, true)?,
        };
        Ok(vec![Some(summed.reshape(from.clone())?)])
    }

    fn bind(&self, binding: &Binding) -> Result<Option<Arc<dyn Op>>, Arc<str>> {
        Ok(Some(Arc::new(Self(bind_shape(&self.0, binding)?))))
    }
}

/// The same elements, row-major, under another shape.
#[derive(Clone, Debug)]
pub(crate) struct Reshape(pub Shape);

impl Op for Reshape {
    fn name(&self) -> &str {
        "reshape"
    }

    fn attributes(&self) -> String {
        self.0.to_string()
    }

    fn infer(&self, inputs: &[Meta]) -> Result<Vec<Meta>, String> {
        if inputs[0].shape.count() != self.0.count() {
            return Err(format!(
                "{} has {} elements, {} has {}",
                inputs[0].shape,
                inputs[0].shape.count(),
                self.0,
                self.0.count()
            ));
        }
        Ok(vec![Meta::new(inputs[0].dtype, &self.0)])
    }

    view_op!();

    fn view(&self, input: &Layout, output: &[usize]) -> Option<Option<Layout>> {
        Some(input.reshape(output))
    }

    fn grad(&self, context: &GradContext<'_>) -> Result<Vec<Option<Tensor>>> {
        Ok(vec![Some(context.cotangent()?.reshape(context.inputs[0].shape().clone())?)])
    }

    fn bind(&self, binding: &Binding) -> Result<Option<Arc<dyn Op>>, Arc<str>> {
        Ok(Some(Arc::new(Self(bind_shape(&self.0, binding)?))))
    }
}

/// The dimensions in another order.
#[derive(Clone, Debug)]
pub(crate) struct Permute(pub Vec<usize>);

impl Op for Permute {
    fn name(&self) -> &str {
        "permute"
    }

    fn attributes(&self) -> String {
        format!("{:?}", self.0)
    }

    fn infer(&self, inputs: &[Meta]) -> Result<Vec<Meta>, String> {
        let mut seen = self.0.clone();
        seen.sort_unstable();
        if seen != (0..inputs[0].shape.rank()).collect::<Vec<_>>() {
            return Err(format!("{:?} is no order of the dimensions of {}", self.0, inputs[0].shape));
        }
        let dims: Vec<Dim> = self.0.iter().map(|&d| inputs[0].shape.dims()[d].clone()).collect();
        Ok(vec![Meta::new(inputs[0].dtype, dims)])
    }

    view_op!();

    fn view(&self, input: &Layout, _: &[usize]) -> Option<Option<Layout>> {
        Some(Some(input.permute(&self.0)))
    }

    fn grad(&self, context: &GradContext<'_>) -> Result<Vec<Option<Tensor>>> {
        let mut back = vec![0; self.0.len()];
        for (to, &from) in self.0.iter().enumerate() {
            back[from] = to;
        }
        Ok(vec![Some(context.cotangent()?.permute(&back)?)])
    }
}

/// Indices `start..end` of one dimension.
#[derive(Clone, Debug)]
pub(crate) struct Slice {
    pub dim: usize,
    pub start: usize,
    pub end: usize,
}

impl Op for Slice {
    fn name(&self) -> &str {
        "slice"
    }

    fn attributes(&self) -> String {
        format!("dim={} {}..{}", self.dim, self.start, self.end)
    }

    fn infer(&self, inputs: &[Meta]) -> Result<Vec<Meta>, String> {
        let shape = &inputs[0].shape;
        let size = &shape.dims()[self.dim];
        let Some(n) = size.fixed() else {
            return Err(format!(
                "dimension {} is named `{size}`; slices are taken of fixed dimensions",
                self.dim
            ));
        };
        if self.start > self.end || self.end > n {
            return Err(format!(
                "{}..{} lies outside 0..{n} of dimension {}",
                self.start, self.end, self.dim
            ));
        }
        let mut dims = shape.dims().to_vec();
        dims[self.dim] = (self.end - self.start).into();
        Ok(vec![Meta::new(inputs[0].dtype, dims)])
    }

    view_op!();

    fn view(&self, input: &Layout, _: &[usize]) -> Option<Option<Layout>> {
        Some(Some(input.slice(self.dim, self.start, self.end)))
    }

    fn grad(&self, context: &GradContext<'_>) -> Result<Vec<Option<Tensor>>> {
        let n = context.inputs[0].shape().dims()[self.dim].fixed().unwrap_or(self.end);
        Ok(vec![Some(context.cotangent()?.pad(self.dim as isize, self.start, n - self.end)?)])
    }
}

/// The same value, but gradients stop here.
#[derive(Clone, Debug)]
pub(crate) struct Detach;

impl Op for Detach {
    fn name(&self) -> &str {
        "detach"
    }

    fn infer(&self, inputs: &[Meta]) -> Result<Vec<Meta>, String> {
        Ok(vec![inputs[0].clone()])
    }

    view_op!();

    fn view(&self, input: &Layout, _: &[usize]) -> Option<Option<Layout>> {
        Some(Some(input.clone()))
    }

    fn grad(&self, _: &GradContext<'_>) -> Result<Vec<Option<Tensor>>> {
        Ok(vec![None])
    }
}

impl Tensor {
    /// Stretched to `shape`: dimensions aligned at the end, sizes of 1 repeat. A view.
    ///
    /// # Errors
    /// Where the shape does not broadcast to `shape`.
    #[track_caller]
    pub fn broadcast_to(&self, shape: impl Into<Shape>) -> Result<Self> {
        let shape = shape.into();
        if &shape == self.shape() {
            return Ok(self.clone());
        }
        self.graph().apply_one(Expand(shape), &[self], Site::here())
    }

    /// The same elements, row-major, under another shape. A view where the layout allows, else a copy.
    ///
    /// # Errors
    /// Where the number of elements differs.
    #[track_caller]
    pub fn reshape(&self, shape: impl Into<Shape>) -> Result<Self> {
        let shape = shape.into();
        if &shape == self.shape() {
            return Ok(self.clone());
        }
        self.graph().apply_one(Reshape(shape), &[self], Site::here())
    }

    /// Dimension `order[i]` of self becomes dimension i. A view.
    ///
    /// # Errors
    /// Where `order` does not name each dimension once.
    #[track_caller]
    pub fn permute(&self, order: &[usize]) -> Result<Self> {
        self.graph().apply_one(Permute(order.to_vec()), &[self], Site::here())
    }

    /// Two dimensions swapped. A view.
    ///
    /// # Errors
    /// Where there is no such dimension.
    #[track_caller]
    pub fn transpose(&self, a: isize, b: isize) -> Result<Self> {
        let site = Site::here();
        let mut order: Vec<usize> = (0..self.rank()).collect();
        order.swap(self.axis(a, "transpose", site)?, self.axis(b, "transpose", site)?);
        self.graph().apply_one(Permute(order), &[self], site)
    }

    /// Indices `start..end` of one dimension. A view.
    ///
    /// # Errors
    /// Where the range lies outside the dimension, or the dimension is named.
    #[track_caller]
    pub fn slice(&self, dim: isize, start: usize, end: usize) -> Result<Self> {
        let site = Site::here();
        let dim = self.axis(dim, "slice", site)?;
        self.graph().apply_one(Slice { dim, start, end }, &[self], site)
    }

    /// With a dimension of size 1 inserted so that it becomes dimension `dim`. A view.
    ///
    /// # Errors
    /// Where `dim` is beyond the rank.
    #[track_caller]
    pub fn unsqueeze(&self, dim: usize) -> Result<Self> {
        let mut dims = self.shape().dims().to_vec();
        dims.insert(dim.min(dims.len()), 1.into());
        self.reshape(dims)
    }

    /// The same value as a constant of the gradient: nothing flows back through it.
    ///
    /// # Errors
    /// None today.
    #[track_caller]
    pub fn detach(&self) -> Result<Self> {
        self.graph().apply_one(Detach, &[self], Site::here())
    }

    /// An operation over the rows of a dimension. Kernels take contiguous rows: the dimension goes last, and back.
    #[track_caller]
    pub(crate) fn by_rows(&self, dim: isize, op: impl Op) -> Result<Self> {
        let site = Site::here();
        let axis = self.axis(dim, op.name(), site)? as isize;
        if axis + 1 == self.rank() as isize {
            return self.graph().apply_one(op, &[self], site);
        }
        self.graph().apply_one(op, &[&self.transpose(axis, -1)?], site)?.transpose(axis, -1)
    }

    /// The indices of dimensions, ascending, or an error that names the operation and what is twice or nowhere.
    pub(crate) fn axes(&self, dims: &[isize], op: &str, site: Site) -> Result<Vec<usize>> {
        let mut axes = dims.iter().map(|&d| self.axis(d, op, site)).collect::<Result<Vec<_>>>()?;
        axes.sort_unstable();
        if let Some(twice) = axes.windows(2).find(|pair| pair[0] == pair[1]) {
            let message = format!("dimension {} is among the dimensions {dims:?} twice", twice[0]);
            return Err(
                OpError { op: op.into(), inputs: vec![self.meta().to_string()], message, site }.into()
            );
        }
        Ok(axes)
    }

    /// A dimension's index from a signed one, or an error that names the operation.
    pub(crate) fn axis(&self, dim: isize, op: &str, site: Site) -> Result<usize> {
        self.shape().axis(dim).ok_or_else(|| {
            OpError {
                op: op.into(),
                inputs: vec![self.meta().to_string()],
                message: format!("dimension {dim} lies outside the rank, {}", self.rank()),
                site,
            }
            .into()
        })
    }
}

pub(super) const REGISTERED: Registered = Registered {
    name: "views",
    formula: "reshape, permute, transpose, slice, broadcast_to, unsqueeze, detach: the same elements by another layout",
    inputs: "x […]",
    attributes: "",
    types: "any",
    source: "",
    cases: Cases::Listed(|| {
        let case = |name: &str, shape: &[usize], build: fn(&Tensor) -> Result<Tensor>| {
            Case::new(name, vec![CaseInput::new(shape)], move |t| Ok(vec![build(&t[0])?.mul(2.0)?]))
        };
        vec![
            case("transpose", &[3, 65], |x| x.transpose(0, 1)),
            case("reshape of a transpose", &[6, 4], |x| x.transpose(0, 1)?.reshape([3, 8])),
            case("slice of columns", &[5, 9], |x| x.slice(1, 2, 7)),
            case("slice of a slice, transposed", &[8, 9], |x| {
                x.slice(0, 1, 7)?.slice(1, 3, 8)?.transpose(0, 1)
            }),
            case("broadcast", &[3, 1], |x| x.broadcast_to([2, 3, 4])),
            case("permute three", &[2, 3, 4], |x| x.permute(&[2, 0, 1])),
        ]
    }),
};
