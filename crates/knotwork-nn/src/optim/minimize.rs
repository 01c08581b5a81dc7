//! What all optimizers share: which parameters they step, clipping, and the assignment of new values.

use knotwork_core::{
    DType, Graph, HostTensor, Site, Tensor, Update,
    graph::SlotGroup,
    graph::{Phase, with_phase, with_provenance},
    ops::Op,
};

use crate::{Error, Result};

/// Settings that every optimizer has.
#[derive(Clone, Debug, Default)]
pub(super) struct Common {
    pub name: Option<String>,
    pub clip_norm: Option<f64>,
    pub clip_value: Option<f64>,
    pub parameters: Option<Vec<Tensor>>,
}

/// An update under construction: parameters with their gradients, and what scales them.
pub(super) struct Minimization {
    graph: Graph,
    site: Site,
    /// The prefix of its scalars and states.
    name: String,
    pub lr: Tensor,
    scale: Option<Tensor>,
    parameters: Vec<Tensor>,
    gradients: Vec<Tensor>,
}

/// The name of a slot.
pub(super) fn slot_name(graph: &Graph, tensor: &Tensor) -> String {
    let found = graph.slots().into_iter().find(|s| s.value == tensor.id());
    found.map_or_else(|| format!("{tensor:?}"), |s| s.name)
}

/// What an optimizer of that name is to step: the chosen parameters, or all, in the graph's order, which is that of memory;
/// frozen ones are passed by.
pub(super) fn wanted(
    graph: &Graph,
    name: &str,
    chosen: Option<&[Tensor]>,
    site: Site,
) -> Result<Vec<Tensor>> {
    let mut wanted = graph.parameters();
    if let Some(chosen) = chosen {
        let slots = graph.slots();
        for t in chosen {
            let slot = &slots[graph.slot_of(t, site)?.0];
            if slot.group != SlotGroup::Parameter {
                let what = format!("{name}: `{}` is a state, no parameter", slot.name);
                return Err(Error::Setting { what, site });
            }
        }
        wanted.retain(|p| chosen.iter().any(|c| c.id() == p.id()));
    }
    Ok(wanted)
}

/// Those of them that the loss depends on, with its gradients to them; all of one type.
pub(super) fn with_gradients(
    name: &str,
    wanted: Vec<Tensor>,
    loss: &Tensor,
    site: Site,
) -> Result<(Vec<Tensor>, Vec<Tensor>)> {
    let refuse = |what: String| Err(Error::Setting { what: format!("{name}: {what}"), site });
    let found = with_provenance(site, || loss.gradients(&wanted.iter().collect::<Vec<_>>()))?;
    let (parameters, gradients): (Vec<Tensor>, Vec<Tensor>) =
        wanted.into_iter().zip(found).filter_map(|(p, d)| Some((p, d?))).unzip();
    let Some(first) = parameters.first() else {
        return refuse("the loss depends on no parameter that may be trained".into());
    };
    if let Some(other) = parameters.iter().find(|p| p.dtype() != first.dtype()) {
        let named = |p: &Tensor| format!("`{}` is {}", slot_name(loss.graph(), p), p.dtype());
        return refuse(format!(
            "{}, {}; one optimizer steps one type: choose by `parameters`",
            named(first),
            named(other)
        ));
    }
    Ok((parameters, gradients))
}

impl Common {
    /// Gradients of the loss to what is to be stepped, the learning rate, and the factor of a global norm's clipping.
    /// Nothing is added to the graph where a setting (`checked`, or one of these) is out of range.
    pub fn begin(
        &self,
        kind: &str,
        lr: f64,
        loss: &Tensor,
        checked: Result<(), String>,
        site: Site,
    ) -> Result<Minimization> {
        let refuse = |what: String| Error::Setting { what, site };
        let graph = loss.graph().clone();
        let name = self.name.clone().unwrap_or_else(|| kind.into());
        if !(lr.is_finite() && lr >= 0.0) {
            return Err(refuse(format!(
                "{name}: the learning rate is {lr}; it must be finite and not negative"
            )));
        }
        for (what, limit) in [("clip_norm", self.clip_norm), ("clip_value", self.clip_value)] {
            if let Some(limit) = limit.filter(|l| l.is_nan() || *l <= 0.0) {
                return Err(refuse(format!("{name}: {what} is {limit}; it must be above 0")));
            }
        }
        checked.map_err(|what| refuse(format!("{name}: {what}")))?;
        let wanted = wanted(&graph, &name, self.parameters.as_deref(), site)?;
        let lr_name = format!("{name}.lr");
        if graph.get(&lr_name).is_some() {
            return Err(refuse(format!(
                "there is an optimizer `{name}` already: give this one a name by `named`"
            )));
        }
        let (parameters, gradients) = with_gradients(&name, wanted, loss, site)?;
        let lr = graph.scalar(&lr_name, lr)?;
        let scale = match self.clip_norm {
            None => None,
            Some(limit) => {
                Some(with_phase(Phase::Update, || with_provenance(site, || norm_scale(&gradients, limit)))?)
            }
        };
        Ok(Minimization { graph, site, name, lr, scale, parameters, gradients })
    }
}

/// min(1, limit / (‖g‖ + 1e-6)) over all gradients together; NaN where one is, so that it is not hidden.
fn norm_scale(gradients: &[Tensor], limit: f64) -> knotwork_core::Result<Tensor> {
    let mut squares: Vec<Tensor> = Vec::with_capacity(gradients.len());
    for g in gradients {
        let dims: Vec<isize> = (0..g.rank() as isize).collect();
        squares.push(g.square()?.sum(&dims, false)?);
    }
    // A balanced tree: its order depends on the number of parameters alone.
    while squares.len() > 1 {
        squares = squares
            .chunks(2)
            .map(|pair| match pair {
                [a, b] => a.add(b),
                _ => Ok(pair[0].clone()),
            })
            .collect::<knotwork_core::Result<_>>()?;
    }
    squares.remove(0).sqrt()?.add(1e-6)?.recip()?.mul(limit)?.minimum(1.0)
}

impl Minimization {
    pub fn count(&self) -> usize {
        self.parameters.len()
    }

    pub fn scaled(&self) -> bool {
        self.scale.is_some()
    }

    /// One state a parameter, all zero.
    pub fn zeros(&self, what: &str) -> Result<Vec<Tensor>> {
        let group = format!("{}.{what}", self.name);
        self.parameters
            .iter()
            .map(|p| {
                let name = slot_name(&self.graph, p);
                let shape = p.shape().fixed().unwrap_or_default();
                Ok(self.graph.state(
                    &format!("{group}.{name}"),
                    &group,
                    HostTensor::zeros(p.dtype(), &shape),
                )?)
            })
            .collect()
    }

    /// The number of steps made.
    pub fn step(&self) -> Result<Tensor> {
        let name = format!("{}.step", self.name);
        Ok(self.graph.state(&name, &name, HostTensor::zeros(DType::I32, [] as [usize; 0]))?)
    }

    /// Applies the operation to lr, `step`, scale, parameters, gradients and states, and assigns what it gives.
    pub fn finish(&self, op: impl Op, step: Option<&Tensor>, states: &[Vec<Tensor>]) -> Result<Update> {
        let mut inputs: Vec<&Tensor> = vec![&self.lr];
        inputs.extend(step);
        inputs.extend(&self.scale);
        inputs.extend(&self.parameters);
        inputs.extend(&self.gradients);
        inputs.extend(states.iter().flatten());
        let graph = &self.graph;
        let outputs = with_phase(Phase::Update, || graph.apply(op, &inputs, self.site))?;
        let mut update = graph.no_update();
        for (slot, value) in self.parameters.iter().chain(states.iter().flatten()).zip(&outputs) {
            update = update.and(graph.assign(slot, value)?)?;
        }
        if let Some(step) = step {
            let next = with_phase(Phase::Update, || with_provenance(self.site, || step.add(1.0)))?;
            update = update.and(graph.assign(step, &next)?)?;
        }
        Ok(update)
    }
}

/// The settings that every optimizer's builder has.
macro_rules! common_settings {
    () => {
        /// Another prefix for its learning rate and states; a second optimizer of one kind needs it.
        #[must_use]
        pub fn named(mut self, name: &str) -> Self {
            self.common.name = Some(name.into());
            self
        }

        /// Multiplies all gradients by min(1, limit / (norm + 1e-6)), the norm being that of all of them together.
        #[must_use]
        pub fn clip_norm(mut self, limit: f64) -> Self {
            self.common.clip_norm = Some(limit);
            self
        }

        /// Limits each element of the gradients to ±limit, after [`clip_norm`](Self::clip_norm); NaN stays.
        #[must_use]
        pub fn clip_value(mut self, limit: f64) -> Self {
            self.common.clip_value = Some(limit);
            self
        }

        /// Steps only these parameters.
        #[must_use]
        pub fn parameters(mut self, parameters: &[&knotwork_core::Tensor]) -> Self {
            self.common.parameters = Some(parameters.iter().map(|&t| t.clone()).collect());
            self
        }
    };
}
pub(super) use common_settings;
