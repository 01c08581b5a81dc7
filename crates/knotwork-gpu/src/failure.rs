//! What is known of a device that fails: whether it is lost, and what ran last.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use knotwork_core::{DeviceLost, Error, LastDispatch, Result, Site, plan::Plan};

/// Runs that are remembered: as many as may be under way, and some.
const REMEMBERED: usize = 8;

/// A dispatch, as an error names it.
#[derive(Debug)]
pub(crate) struct Named {
    kernel: String,
    node: String,
    site: Site,
}

/// The dispatches of a plan, as an error names them.
pub(crate) fn names(plan: &Plan) -> Arc<[Named]> {
    let named = |d: &knotwork_core::plan::Dispatch| {
        let step = &plan.steps[d.step];
        Named { kernel: d.kernel.name.clone(), node: step.op.name().into(), site: step.site }
    };
    plan.dispatches.iter().map(named).collect()
}

#[derive(Debug)]
struct Flight {
    run: u64,
    names: Arc<[Named]>,
    back: bool,
    /// The only dispatch that runs now, where they run one by one.
    now: Option<usize>,
}

#[derive(Debug, Default)]
struct Flights {
    last: u64,
    recent: VecDeque<Flight>,
}

/// The state of a device, shared with the driver's callbacks. Once lost it stays lost.
#[derive(Debug)]
pub(crate) struct Failure {
    device: String,
    lost: OnceLock<Arc<DeviceLost>>,
    flights: Mutex<Flights>,
    /// What the driver said outside of any call of ours; the next call passes it on.
    stray: Mutex<Option<String>>,
}

impl Failure {
    pub fn new(device: String) -> Self {
        Self { device, lost: OnceLock::new(), flights: Mutex::default(), stray: Mutex::default() }
    }

    fn flights(&self) -> std::sync::MutexGuard<'_, Flights> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A run is about to be sent: gives its number.
    pub fn sends(&self, names: &Arc<[Named]>) -> u64 {
        let mut flights = self.flights();
        flights.last += 1;
        let run = flights.last;
        while flights.recent.len() >= REMEMBERED || flights.recent.front().is_some_and(|f| f.back) {
            flights.recent.pop_front();
        }
        flights.recent.push_back(Flight { run, names: names.clone(), back: false, now: None });
        run
    }

    /// Of a run whose dispatches are waited for one by one: which of them runs now.
    pub fn only(&self, run: u64, dispatch: usize) {
        self.flights().recent.iter_mut().filter(|f| f.run == run).for_each(|f| f.now = Some(dispatch));
    }

    /// A run has come back, and with it those before.
    pub fn back(&self, run: u64) {
        self.flights().recent.iter_mut().filter(|f| f.run <= run).for_each(|f| f.back = true);
    }

    /// The device is lost. The first reason stays.
    pub fn lose(&self, reason: &str) {
        self.lost.get_or_init(|| {
            let flights = self.flights();
            let away: Vec<&Flight> = flights.recent.iter().filter(|f| !f.back).collect();
            let away = if away.is_empty() { flights.recent.back().into_iter().collect() } else { away };
            let dispatches = away.iter().flat_map(|f| {
                let named = f.names.iter().enumerate().filter(|(k, _)| f.now.is_none_or(|now| now == *k));
                named.map(|(_, n)| LastDispatch {
                    run: f.run,
                    kernel: n.kernel.clone(),
                    node: n.node.clone(),
                    site: n.site,
                })
            });
            let lost = DeviceLost {
                device: self.device.clone(),
                reason: reason.trim_end_matches('.').to_owned(),
                dispatches: dispatches.collect(),
            };
            tracing::error!(%lost);
            Arc::new(lost)
        });
    }

    pub fn stray(&self, message: String) {
        self.stray.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(message);
    }

    /// The loss of the device, if it is lost; a stray error once.
    pub fn check(&self) -> Result<()> {
        if let Some(lost) = self.lost.get() {
            return Err(Error::DeviceLost(lost.clone()));
        }
        match self.stray.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(message) => Err(Error::Device { device: self.device.clone(), message }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(kernel: &str) -> Arc<[Named]> {
        [Named { kernel: kernel.into(), node: "n".into(), site: Site::here() }].into()
    }

    fn lost(failure: &Failure) -> Vec<(u64, String)> {
        failure.lose("x.");
        failure.lose("another reason comes too late");
        match failure.check() {
            Err(Error::DeviceLost(lost)) => {
                assert_eq!(lost.reason, "x");
                lost.dispatches.iter().map(|d| (d.run, d.kernel.clone())).collect()
            }
            other => vec![(0, format!("{other:?}"))],
        }
    }

    #[test]
    fn what_was_under_way_is_named() {
        let failure = Failure::new("gpu".into());
        let runs = ["a", "b", "c"].map(|k| failure.sends(&named(k)));
        failure.back(runs[0]);
        assert_eq!(lost(&failure), [(2, "b".to_owned()), (3, "c".to_owned())]);
    }

    #[test]
    fn one_by_one_the_one_is_named() {
        let failure = Failure::new("gpu".into());
        let name = |kernel: &str| Named { kernel: kernel.into(), node: "n".into(), site: Site::here() };
        let run = failure.sends(&[name("a"), name("b"), name("c")].into());
        failure.only(run, 0);
        failure.only(run, 1);
        assert_eq!(lost(&failure), [(1, "b".to_owned())]);
    }

    #[test]
    fn where_all_came_back_the_last_is_named() {
        let failure = Failure::new("gpu".into());
        assert!(failure.check().is_ok());
        (0..20).for_each(|i| failure.back(failure.sends(&named(&format!("k{i}")))));
        assert_eq!(lost(&failure), [(20, "k19".to_owned())]);
        let many = Failure::new("gpu".into());
        (0..20).for_each(|_| assert!(many.sends(&named("k")) > 0));
        assert_eq!(lost(&many).len(), REMEMBERED);
        assert!(lost(&Failure::new("gpu".into())).is_empty());
    }

    #[test]
    fn a_stray_error_is_said_once() {
        let failure = Failure::new("gpu".into());
        failure.stray("odd".into());
        assert!(matches!(failure.check(), Err(Error::Device { message, .. }) if message == "odd"));
        assert!(failure.check().is_ok());
    }
}
