//! The GPU kernels: several parts a dispatch, moved as words; values of other sizes a part each.

use crate::{
    Layout,
    ops::{Op, elementwise},
    plan::{BindTo, DispatchSpec, Grid, Kernel, KernelOperand, KernelRequest, Lowering, Params},
};

/// Parts that one dispatch can take: the flags of `concat.wgsl`.
const FLAGS: [&str; 6] = ["two", "three", "four", "five", "six", "seven"];

pub(super) fn lower(dim: usize, request: &KernelRequest<'_>) -> Result<Vec<Lowering>, String> {
    let dtype = request.outputs[0].dtype;
    if dtype.bytes() == 4 {
        return Ok(vec![words(dim, request)]);
    }
    // Elementwise copies know how every type is stored.
    copies(dim, request).map(|lowering| vec![lowering])
}

/// The parts that have elements, with what of a row of the result they fill: (input, begin, size in elements).
fn parts(dim: usize, request: &KernelRequest<'_>) -> Vec<(usize, usize, usize)> {
    let mut begin = 0;
    let mut found = Vec::with_capacity(request.inputs.len());
    for (i, input) in request.inputs.iter().enumerate() {
        let width: usize = input.layout.shape()[dim..].iter().product();
        if input.layout.count() > 0 {
            found.push((i, begin, width));
        }
        begin += width;
    }
    found
}

fn words(dim: usize, request: &KernelRequest<'_>) -> Lowering {
    let shape = request.outputs[0].layout.shape();
    let rows: usize = shape[..dim].iter().product();
    let total: usize = shape[dim..].iter().product();
    let most = (request.capabilities.max_storage_buffers as usize - 1).clamp(1, FLAGS.len() + 1);
    let parts = parts(dim, request);
    let dispatches = parts.chunks(most).map(|parts| {
        let begin = parts[0].1;
        let mut ends: Vec<usize> = parts.iter().map(|(_, at, width)| at + width - begin).collect();
        let width = ends[ends.len() - 1];
        ends.resize(FLAGS.len() + 1, width);
        let params = Params::new().u32(rows * width).u32(width).u32(begin).u32(total);
        let params = ends.into_iter().fold(params, Params::u32).u32(0u32);
        let mut kernel = Kernel::named("concat", Vec::new());
        kernel.flags.extend(&FLAGS[..parts.len() - 1]);
        let inputs = parts.iter().map(|&(i, ..)| BindTo::Input(i));
        DispatchSpec {
            kernel,
            bindings: std::iter::once(BindTo::Output(0)).chain(inputs).collect(),
            params,
            grid: Grid::Linear((rows * width).div_ceil(256) as u64),
            flat: None,
        }
    });
    Lowering { variant: "words", scratch: Vec::new(), dispatches: dispatches.collect() }
}

fn copies(dim: usize, request: &KernelRequest<'_>) -> Result<Lowering, String> {
    let dtype = request.outputs[0].dtype;
    let inner: usize = request.outputs[0].layout.shape()[dim + 1..].iter().product();
    let mut dispatches = Vec::new();
    for (i, begin, width) in parts(dim, request) {
        let layout: Layout = request.outputs[0].layout.slice(dim, begin / inner, (begin + width) / inner);
        let request = KernelRequest {
            inputs: &request.inputs[i..=i],
            outputs: &[KernelOperand { dtype, layout }],
            aliases: &[],
            capabilities: request.capabilities,
        };
        let lowering = elementwise::copy(dtype).kernels(&request)?.into_iter().next();
        let mut copy = lowering.ok_or("there is no kernel that copies a part")?;
        for binding in copy.dispatches.iter_mut().flat_map(|d| &mut d.bindings) {
            if *binding == BindTo::Input(0) {
                *binding = BindTo::Input(i);
            }
        }
        for dispatch in &mut copy.dispatches {
            // What is flat in a part is not in the whole.
            dispatch.flat = None;
        }
        dispatches.append(&mut copy.dispatches);
    }
    Ok(Lowering { variant: "copies", scratch: Vec::new(), dispatches })
}
