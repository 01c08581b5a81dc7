//! Chooses a kernel variant for each piece of work.

use super::{
    Capabilities, KernelOperand, KernelRequest, Lowering,
    split::Window,
    work::{Draft, Operand, Work},
};
use crate::{Error, Result};

/// The chosen variant, none where there is nothing to do, and on the CPU; and what of inputs and outputs is bound, where
/// that is not all.
#[derive(Clone, Debug, Default)]
pub(super) struct Lowered {
    pub lowering: Option<Lowering>,
    /// Why it was chosen.
    pub note: Option<String>,
    pub inputs: Vec<Option<Window>>,
    pub outputs: Vec<Option<Window>>,
}

/// Takes the best variant that the device can run; the `variant`-th of them where there are so many.
pub(super) fn lower(
    draft: &Draft,
    capabilities: &Capabilities,
    variant: Option<usize>,
) -> Result<Vec<Lowered>> {
    draft.work.iter().map(|work| lower_one(draft, work, capabilities, variant)).collect()
}

fn lower_one(
    draft: &Draft,
    work: &Work,
    capabilities: &Capabilities,
    variant: Option<usize>,
) -> Result<Lowered> {
    if work.outputs.iter().all(|o| o.layout.count() == 0) {
        return Ok(Lowered::default());
    }
    let window = |o: &Operand| Window::of(draft, o, capabilities);
    let operand = |o: &Operand| {
        let dtype = draft.roots[o.root].dtype;
        let skipped = window(o).map_or(0, |w| w.first / dtype.bytes());
        KernelOperand { dtype, layout: o.layout.counted_from(skipped) }
    };
    let inputs: Vec<KernelOperand> = work.inputs.iter().map(operand).collect();
    let outputs: Vec<KernelOperand> = work.outputs.iter().map(operand).collect();
    let refuse = |need: String, limit: String| Error::Limit {
        node: work.op.name().into(),
        site: work.site,
        need,
        limit,
        device: capabilities.device.clone(),
    };
    let request = KernelRequest { inputs: &inputs, outputs: &outputs, aliases: &work.aliases, capabilities };
    let variants = work.op.kernels(&request).map_err(|message| refuse("a kernel".into(), message))?;
    let mut missing = "no variant at all".to_owned();
    let mut runnable = Vec::new();
    for lowering in variants {
        let lack = lowering.dispatches.iter().find_map(|d| {
            d.kernel.needs.missing(capabilities).or_else(|| {
                (d.bindings.len() > capabilities.max_storage_buffers as usize).then(|| {
                    format!(
                        "{} storage buffers (limit {})",
                        d.bindings.len(),
                        capabilities.max_storage_buffers
                    )
                })
            })
        });
        match lack {
            None => runnable.push(lowering),
            Some(lack) => missing = format!("not {lack} (variant `{}`)", lowering.variant),
        }
    }
    if runnable.is_empty() {
        return Err(refuse("a kernel variant that the device can run".into(), missing));
    }
    let chosen = variant.filter(|&n| n < runnable.len()).unwrap_or(0);
    let lowering = runnable.swap_remove(chosen);
    Ok(Lowered {
        note: work.op.note(&request, lowering.variant),
        lowering: Some(lowering),
        inputs: work.inputs.iter().map(window).collect(),
        outputs: work.outputs.iter().map(window).collect(),
    })
}
