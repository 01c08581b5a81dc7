//! The page table of a paged cache, checked: which page holds which stretch of a sequence.

use std::sync::Arc;

use super::{Op, Reference, gather_rows::index_flags, no_gradient};
use crate::{
    DType, Dim, Result, Site,
    autodiff::GradContext,
    cpu::{CpuIo, SliceMut},
    graph::{Meta, Tensor},
    plan::{BindTo, DispatchSpec, Grid, Kernel, KernelRequest, Lowering, Needs, Params, Source},
    tensor::Binding,
};

/// table → the same as u32, each entry within 0..pages.
#[derive(Clone, Debug)]
struct PageTable {
    pages: Dim,
}

/// The table with entries that are safe to use; equal ones in a program are one piece of work.
pub(super) fn checked(table: &Tensor, cache: &Tensor, site: Site) -> Result<Tensor> {
    let pages = cache.shape().dims().first().cloned().unwrap_or_else(|| Dim::from(0));
    table.graph().apply_one(PageTable { pages }, &[table], site)
}

/// What is wrong with a table `[B, N]` for so many sequences.
pub(super) fn fault(table: &Meta, batch: &Dim) -> Option<String> {
    let fits = table.dtype == DType::U32 && matches!(table.shape.dims(), [b, _] if b == batch);
    (!fits).then(|| format!("the page table is {}; it must be [B, N], B = {batch}", table.shape))
}

fn page(value: i64, at: usize, pages: usize) -> Result<usize, String> {
    usize::try_from(value)
        .ok()
        .filter(|&page| page < pages)
        .ok_or_else(|| format!("page {value} at {at} lies outside 0..{pages}"))
}

impl PageTable {
    fn count(&self) -> usize {
        self.pages.fixed().unwrap_or(0)
    }
}

impl Op for PageTable {
    fn name(&self) -> &str {
        "page_table"
    }

    fn attributes(&self) -> String {
        format!("pages={}", self.pages)
    }

    fn infer(&self, inputs: &[Meta]) -> Result<Vec<Meta>, String> {
        let table = &inputs[0];
        if !table.dtype.is_index() {
            return Err(format!("the page table is {table}; it takes i32 or u32"));
        }
        if self.pages.fixed() == Some(0) {
            return Err("the cache has no page".into());
        }
        Ok(vec![Meta::new(DType::U32, &table.shape)])
    }

    fn reference(&self, inputs: &[Reference], outputs: &mut [Reference]) -> Result<(), String> {
        for (at, (to, &value)) in outputs[0].data.iter_mut().zip(&inputs[0].data).enumerate() {
            *to = page(value as i64, at, self.count())? as f64;
        }
        Ok(())
    }

    fn cpu(&self, io: &mut CpuIo<'_>) -> Result<bool, String> {
        let Some(table) = io.inputs[0].indices() else { return Ok(false) };
        let SliceMut::U32(out) = &mut io.outputs[0].data else { return Ok(false) };
        for (at, (to, value)) in out.iter_mut().zip(table).enumerate() {
            *to = page(value, at, self.count())? as u32;
        }
        Ok(true)
    }

    fn kernels(&self, request: &KernelRequest<'_>) -> Result<Vec<Lowering>, String> {
        let count = request.outputs[0].layout.count();
        Ok(vec![Lowering::single(
            "element",
            DispatchSpec {
                kernel: Kernel {
                    name: "page_table".into(),
                    source: Source::Named("page_table"),
                    flags: index_flags(request.inputs[0].dtype),
                    constants: Vec::new(),
                    needs: Needs::default(),
                },
                bindings: vec![BindTo::Input(0), BindTo::Output(0), BindTo::Status],
                params: Params::new().u32(count).u32(self.count()).u32(0usize).u32(0usize),
                grid: Grid::Linear(count.div_ceil(256) as u64),
                flat: None,
            },
        )])
    }

    fn grad(&self, _: &GradContext<'_>) -> Result<Vec<Option<Tensor>>> {
        Err(no_gradient("a page table holds whole numbers"))
    }

    fn indices(&self, _: &[Vec<usize>]) -> Option<(usize, usize)> {
        self.pages.fixed().map(|pages| (0, pages))
    }

    fn bind(&self, binding: &Binding) -> Result<Option<Arc<dyn Op>>, Arc<str>> {
        Ok(Some(Arc::new(Self { pages: self.pages.bind(binding)?.into() })))
    }
}
