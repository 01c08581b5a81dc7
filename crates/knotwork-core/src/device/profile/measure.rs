//! Running a program to see where its time goes.

use std::borrow::Borrow;

use super::{Clock, Entry, Interval, Profile, Timeline};
use crate::{
    Error, HostTensor, Result,
    device::{Program, Value},
    plan::Plan,
};

impl Program {
    /// Runs the program once to warm up and `runs` times more, and measures every dispatch. They are runs like any
    /// other: what the program updates is updated each time.
    ///
    /// Dispatches run one by one while they are measured, which costs a little on devices that would overlap them.
    ///
    /// # Errors
    /// Where `runs` is 0, the feeds do not fit (see [`run`](Self::run)), or the device fails or keeps no times.
    pub fn profile<'n, V: Borrow<HostTensor>>(
        &mut self,
        feeds: impl IntoIterator<Item = (&'n str, V)>,
        runs: usize,
    ) -> Result<Profile> {
        if runs == 0 {
            return Err(Error::Host("a profile needs at least one run; it was asked for 0".into()));
        }
        let device = self.device().info().to_string();
        let feeds: Vec<(&str, V)> = feeds.into_iter().collect();
        let values = feeds.iter().map(|(name, value)| (*name, Value::Host(value.borrow())));
        self.with_ready(values, &[], |plan, prepared, inputs| {
            let mut timelines = Vec::with_capacity(runs);
            for run in 0..=runs {
                let timeline = prepared.profile(inputs)?.ok_or_else(|| Error::Device {
                    device: device.clone(),
                    message: "this backend does not measure times".into(),
                })?;
                if run > 0 {
                    timelines.push(timeline);
                }
            }
            summarise(plan, &device, &timelines)
        })
    }
}

/// The middle value; of an even number, the upper of the middle two.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

fn summarise(plan: &Plan, device: &str, timelines: &[Timeline]) -> Result<Profile> {
    let refuse = |message: String| Error::Device { device: device.into(), message };
    let clock = timelines.first().map_or(Clock::Steps, |t| t.clock);
    let steps: Vec<usize> = match clock {
        Clock::Steps => (0..plan.steps.len()).collect(),
        Clock::Timestamps | Clock::Submits => plan.dispatches.iter().map(|d| d.step).collect(),
    };
    if let Some(t) = timelines.iter().find(|t| t.slices.len() != steps.len()) {
        return Err(refuse(format!("{} times were measured of {} dispatches", t.slices.len(), steps.len())));
    }
    let ns: Vec<f64> =
        (0..steps.len()).map(|i| median(timelines.iter().map(|t| t.slices[i].ns).collect())).collect();
    let mut step_ns = vec![0.0; plan.steps.len()];
    let mut step_count = vec![0usize; plan.steps.len()];
    for (&step, ns) in steps.iter().zip(&ns) {
        step_ns[step] += ns;
        step_count[step] += 1;
    }
    let phases = plan.phases();
    let entries = steps
        .iter()
        .zip(&ns)
        .enumerate()
        .map(|(i, (&k, &ns))| {
            let step = &plan.steps[k];
            let cost = step.cost();
            let share = if step_ns[k] > 0.0 { ns / step_ns[k] } else { 1.0 / step_count[k] as f64 };
            let kernel = match clock {
                Clock::Steps => step.op.name().to_owned(),
                Clock::Timestamps | Clock::Submits => plan.dispatches[i].kernel.name.clone(),
            };
            Entry {
                kernel,
                op: step.op.name().into(),
                variant: step.variant,
                step: k,
                site: step.site,
                phase: phases[k],
                ns,
                bytes: cost.bytes * share,
                flops: cost.flops * share,
            }
        })
        .collect();
    let total = |t: &Timeline| t.slices.iter().map(|s| s.ns).sum::<f64>();
    let mut order: Vec<&Timeline> = timelines.iter().collect();
    order.sort_by(|a, b| total(a).total_cmp(&total(b)));
    let middle = order.get(order.len() / 2).map_or_else(Vec::new, |t| from_zero(&t.slices));
    Ok(Profile {
        device: device.into(),
        clock,
        runs: timelines.len(),
        run_ns: timelines.iter().map(total).collect(),
        entries,
        timeline: middle,
        live_bytes: plan.live_bytes(),
        peak: None,
    })
}

/// The same slices, the first begin at 0.
fn from_zero(slices: &[Interval]) -> Vec<Interval> {
    let first = slices.iter().map(|s| s.begin).fold(f64::INFINITY, f64::min);
    slices.iter().map(|s| Interval { begin: s.begin - first, ..*s }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        DType, Graph,
        plan::{Capabilities, PlanOptions},
    };
    use pretty_assertions::assert_eq;

    /// A product in two dispatches and a sum: times that were not measured but chosen.
    #[test]
    fn medians_shares_and_costs() {
        let g = Graph::new();
        let x = g.input("x", DType::F32, [64, 64]).unwrap();
        let y = x.matmul(&x).unwrap().transpose(0, 1).unwrap().matmul(&x).unwrap();
        let plan = g.plan(&[&y], &[], &[].into(), &Capabilities::portable(), PlanOptions::default()).unwrap();
        assert_eq!(plan.dispatches.len(), 2);
        let run = |a: f64, b: f64| Timeline {
            clock: Clock::Timestamps,
            slices: vec![Interval { begin: 1000.0, ns: a }, Interval { begin: 1000.0 + a, ns: b }],
        };
        let p = summarise(&plan, "d", &[run(10.0, 1.0), run(30.0, 2.0), run(20.0, 90.0)]).unwrap();
        assert_eq!(p.entries.iter().map(|e| e.ns).collect::<Vec<_>>(), [20.0, 2.0]);
        // The middle one is shown.
        assert_eq!(p.run_ns, [11.0, 32.0, 110.0]);
        assert_eq!(p.timeline, [Interval { begin: 0.0, ns: 30.0 }, Interval { begin: 30.0, ns: 2.0 }]);
        assert_eq!(p.entries.iter().map(|e| e.flops).sum::<f64>(), 4.0 * 64f64.powi(3));
        let kernels = p.kernels();
        assert_eq!(kernels.iter().map(|k| k.count).sum::<usize>(), 2);
        assert_eq!(kernels.iter().map(|k| k.ns).sum::<f64>(), 22.0);
        assert_eq!(p.total_ns(), 22.0);
    }

    #[test]
    fn a_timeline_of_another_length_is_refused() {
        let g = Graph::new();
        let y = g.input("x", DType::F32, [4]).unwrap().exp().unwrap();
        let plan = g.plan(&[&y], &[], &[].into(), &Capabilities::portable(), PlanOptions::default()).unwrap();
        let none = Timeline { clock: Clock::Timestamps, slices: Vec::new() };
        let message = summarise(&plan, "the device", &[none]).unwrap_err().to_string();
        assert!(message.contains("0 times were measured of 1 dispatches"), "{message}");
    }
}
