//! What does not fit is refused when it is planned, with the largest tenants of the memory named.

use super::{
    BufferKind, Capabilities, Plan,
    lifetimes::{Lifetimes, Tenant},
    work::{Draft, RootKind},
};
use crate::{
    Error, Result, Site,
    error::{BudgetError, TenantError},
    tensor::format_shape,
};

/// How many tenants an error names.
const NAMED: usize = 5;

/// Every value must fit into one buffer of the device.
pub(super) fn check_sizes(draft: &Draft, lives: &Lifetimes, capabilities: &Capabilities) -> Result<()> {
    let limit = capabilities.max_buffer_bytes;
    let refuse = |node: String, site: Site, bytes: usize| Error::Limit {
        node,
        site,
        need: format!("a buffer of {bytes} bytes"),
        limit: format!("buffers of at most {limit} bytes"),
        device: capabilities.device.clone(),
    };
    if let Some(tenant) = lives.tenants.iter().filter(|t| t.bytes > limit).max_by_key(|t| t.bytes) {
        let named = describe(draft, tenant);
        return Err(refuse(named.op, named.site, tenant.bytes));
    }
    for (id, root) in draft.roots.iter().enumerate().filter(|(_, r)| r.bytes() > limit) {
        let Some(reader) = draft.work.iter().find(|w| w.reads(id)) else { continue };
        let node = match &root.kind {
            RootKind::Feed(f) => format!("input `{}`", draft.feeds[*f].0),
            RootKind::Constant(t) => format!("constant {t}"),
            _ => continue,
        };
        return Err(refuse(node, reader.site, root.bytes()));
    }
    Ok(())
}

/// All memory that a plan needs must fit its budget.
pub(super) fn check_budget(
    draft: &Draft,
    lives: &Lifetimes,
    plan: &Plan,
    budget: Option<usize>,
    capabilities: &Capabilities,
) -> Result<()> {
    let Some(budget) = budget else { return Ok(()) };
    let sum = |kind: fn(&BufferKind) -> bool| -> usize {
        plan.buffers.iter().filter(|b| kind(&b.kind)).map(|b| b.bytes).sum()
    };
    let arena = plan.arena_bytes();
    let parameters = sum(|k| matches!(k, BufferKind::Chunk(_)));
    let inputs = sum(|k| matches!(k, BufferKind::Feed(_) | BufferKind::Scalars));
    let constants = sum(|k| matches!(k, BufferKind::Constant(_)));
    let needed = arena + parameters + inputs + constants;
    if needed <= budget {
        return Ok(());
    }
    let (_, at) = lives.peak();
    let mut living: Vec<&Tenant> = lives.tenants.iter().filter(|t| t.lives_at(at)).collect();
    living.sort_by_key(|t| (std::cmp::Reverse(t.bytes), t.born));
    let tenants = living.into_iter().take(NAMED).map(|t| describe(draft, t)).collect();
    let step = draft.work.get(at).or(draft.work.last());
    Err(Error::Budget(Box::new(BudgetError {
        budget,
        needed,
        arena,
        parameters,
        inputs,
        constants,
        peak_op: step.map_or_else(String::new, |w| w.op.name().into()),
        peak_site: step.map_or_else(Site::here, |w| w.site),
        tenants,
        device: capabilities.device.clone(),
    })))
}

/// The operation that first wrote a tenant, and what it wrote.
fn describe(draft: &Draft, tenant: &Tenant) -> TenantError {
    let work = &draft.work[tenant.born];
    let output = work.outputs.iter().find(|o| tenant.roots.first() == Some(&o.root));
    let what = match output {
        Some(o) => format!("{}{}", draft.roots[o.root].dtype, format_shape(o.layout.shape())),
        None => "scratch memory".into(),
    };
    TenantError { op: work.op.name().into(), what, bytes: tenant.bytes, site: work.site }
}
