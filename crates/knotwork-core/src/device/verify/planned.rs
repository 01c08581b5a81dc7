//! The program's own plan, fused and with shared memory, against the oracle.

use std::sync::Arc;

use super::{PlannedDifference, tolerance};
use crate::{
    Result,
    cpu::{Oracle, evaluate_values},
    device::{
        Program,
        observe::describe,
        params::Turn,
        program::{Feeds, execute},
        summary::element,
    },
    plan::{PlanOptions, plan_for},
    tensor::{Binding, HostTensor},
};

/// How many times an operation's usual tolerance a whole plan may be off, relative to its largest element.
const NODES: f64 = 64.0;
/// How many times as far from the oracle as unfused work a plan may be: roundings differ, their size does not.
const UNFUSED: f64 = 16.0;

/// A knob by name.
type Knob = (&'static str, fn(&mut PlanOptions));

/// The knobs, each alone.
const KNOBS: [Knob; 4] = [
    ("no_fuse", |o| o.no_fuse = true),
    ("no_rewrite", |o| o.no_rewrite = true),
    ("no_alias", |o| o.no_alias = true),
    ("serial", |o| o.serial = true),
];

struct Miss {
    result: usize,
    element: Vec<usize>,
    device: f64,
    oracle: f64,
    allowed: f64,
}

fn largest(values: &[f64]) -> f64 {
    values.iter().filter(|x| x.is_finite()).fold(0.0, |m, x| m.max(x.abs()))
}

/// The first result that is further from the oracle's than it may be.
fn first_wrong(planned: &[HostTensor], unfused: &[HostTensor], oracle: &[HostTensor]) -> Option<Miss> {
    planned.iter().zip(unfused).zip(oracle).enumerate().find_map(|(result, ((planned, unfused), oracle))| {
        let (got, near, want) = (planned.to_f64(), unfused.to_f64(), oracle.to_f64());
        let apart: Vec<f64> = near.iter().zip(&want).map(|(a, b)| a - b).collect();
        let base = NODES * tolerance::of("", oracle.dtype()) * largest(&want).max(f64::MIN_POSITIVE);
        let allowed = base + UNFUSED * largest(&apart);
        // What unfused work makes no number of, a plan may; then there is nothing to compare.
        let want: Vec<f64> =
            want.iter().zip(&near).map(|(&w, &n)| if n.is_finite() { w } else { n }).collect();
        let miss = tolerance::worst(&got, &want, |_| allowed)?;
        (miss.times > 1.0).then(|| Miss {
            result,
            element: element(oracle.shape(), miss.at),
            device: got[miss.at],
            oracle: want[miss.at],
            allowed,
        })
    })
}

impl Program {
    /// Runs the plan, and puts back what it wrote into slots.
    pub(super) fn verify_plan(
        &self,
        turn: &Turn<'_>,
        binding: &Binding,
        feeds: &Feeds<'_, '_>,
        given: &Oracle<'_>,
        unfused: &[HostTensor],
    ) -> Result<Option<PlannedDifference>> {
        let oracle = evaluate_values(self.graph_of_target(), &self.results(), given, binding)?;
        let planned = self.run_and_restore(turn, binding, feeds, self.options())?;
        let Some(miss) = first_wrong(&planned, unfused, &oracle) else { return Ok(None) };
        let mut cured_by = Vec::new();
        for (name, set) in KNOBS {
            let mut options = self.options();
            set(&mut options);
            if options == self.options() {
                continue;
            }
            let planned = self.run_and_restore(turn, binding, feeds, options)?;
            if first_wrong(&planned, unfused, &oracle).is_none() {
                cured_by.push(name);
            }
        }
        let outputs = self.target().outputs.len();
        let value = self.results()[miss.result];
        let by = describe(self.graph_of_target(), value);
        let what = match miss.result.checked_sub(outputs) {
            None => format!("output {}, of {by},", miss.result),
            Some(k) => {
                let slot = self.target().updates[k].0;
                format!("the new value of slot `{}`, from {by},", self.graph_of_target().slots[slot.0].name)
            }
        };
        let Miss { element, device, oracle, allowed, .. } = miss;
        Ok(Some(PlannedDifference { what, element, device, oracle, allowed, cured_by }))
    }

    /// The outputs and then the new values of the slots that the plan gives; the slots have their old values afterwards.
    fn run_and_restore(
        &self,
        turn: &Turn<'_>,
        binding: &Binding,
        feeds: &Feeds<'_, '_>,
        options: PlanOptions,
    ) -> Result<Vec<HostTensor>> {
        let options = PlanOptions { check_finite: false, ..options };
        let target = self.target();
        let capabilities = self.device().capabilities();
        let plan = Arc::new(plan_for(target, binding, capabilities, turn, options)?);
        let mut prepared = self.device().backend().prepare(plan.clone(), &turn.chunks())?;
        let slots: Vec<_> = target.updates.iter().map(|(slot, _)| *slot).collect();
        let before = slots.iter().map(|s| turn.read(*s)).collect::<Result<Vec<_>>>()?;
        let ran = execute(&plan, feeds, &[], turn, |inputs| prepared.run(inputs)?.wait());
        let after = slots.iter().map(|s| turn.read(*s)).collect::<Result<Vec<_>>>();
        // Put back whatever happened.
        slots.iter().zip(&before).try_for_each(|(slot, value)| turn.write(*slot, value))?;
        let mut results = ran?;
        results.extend(after?);
        Ok(results)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DType;

    fn tensor(values: &[f32]) -> Vec<HostTensor> {
        vec![HostTensor::new(values, [values.len()]).unwrap()]
    }

    #[test]
    fn roundings_pass_and_errors_do_not() {
        let want = tensor(&[1.0, 2.0, -3.0]);
        let near = tensor(&[1.0, 2.000_000_2, -3.0]);
        assert!(first_wrong(&near, &near, &want).is_none());
        let miss = first_wrong(&tensor(&[1.0, 2.0, -3.01]), &near, &want).unwrap();
        assert_eq!((miss.result, miss.element), (0, vec![2]));
        assert!(first_wrong(&tensor(&[1.0, f32::NAN, -3.0]), &near, &want).is_some());
        assert_eq!(tolerance::of("", DType::F32) * NODES * 3.0, 3.0 * 64.0 * 4e-6);
    }
}
