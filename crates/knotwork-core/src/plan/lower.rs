//! Chooses a kernel variant for each piece of work.

use super::{
    Capabilities, KernelOperand, KernelRequest, Lowering,
    work::{Draft, Operand, Work},
};
use crate::{Error, Result};

/// The chosen variant; none where there is nothing to do, and on the CPU.
#[derive(Clone, Debug, Default)]
pub(super) struct Lowered(pub Option<Lowering>);

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
        return Ok(Lowered(None));
    }
    let operand = |o: &Operand| KernelOperand { dtype: draft.roots[o.root].dtype, layout: o.layout.clone() };
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
    Ok(Lowered(Some(runnable.swap_remove(chosen))))
}
