//! Analytic gradients against central differences, in f64 through the oracle.

use std::collections::BTreeMap;

use knotwork::{Graph, HostTensor, Tensor, cpu::evaluate};

use super::{
    Wrong,
    subject::{Direction, Subject, Truth},
};
use crate::{
    compare::{Mismatch, index_of},
    fill::Random,
};

/// Half the distance of the two points.
const H: f64 = 1e-5;

/// What may differ, relative to max(1, largest gradient).
const TOLERANCE: f64 = 1e-6;

/// Elements of a tensor that are each varied alone; a large tensor is also varied as a whole, so that every element of
/// its gradient counts.
const ALONE: usize = 12;

/// Checks the gradients of every order.
pub(super) fn check(subject: &Subject, truth: &Truth) -> Result<Wrong, String> {
    let (graph, feeds) = subject.wide()?;
    let mut wrong = Vec::new();
    for direction in &subject.directions {
        let all = direction.gradients.iter().flat_map(|(_, at)| truth.0[*at].to_f64());
        let allowed = TOLERANCE * all.fold(1.0, |m: f64, g| m.max(g.abs()));
        let terms = direction.terms.iter().map(|(t, _)| graph.value(t.id()));
        let terms = terms.collect::<Result<Vec<_>, _>>().map_err(|e| e.to_string())?;
        for (feed, at) in &direction.gradients {
            let analytic = &truth.0[*at];
            let sum = Sum { graph: &graph, terms: &terms, direction, feeds: &feeds, varied: feed };
            if let Some(message) = sum.compare(analytic, allowed)? {
                wrong.push((format!("{} against differences", subject.watched[*at].what), message));
            }
        }
    }
    Ok(wrong)
}

/// Whether two slopes differ; a NaN always does.
fn differ(a: f64, b: f64, allowed: f64) -> bool {
    let difference = (a - b).abs();
    difference.is_nan() || difference > allowed
}

/// Σ term · weight as a function of one feed.
struct Sum<'a> {
    graph: &'a Graph,
    terms: &'a [Tensor],
    direction: &'a Direction,
    feeds: &'a BTreeMap<&'a str, HostTensor>,
    varied: &'a str,
}

impl Sum<'_> {
    fn compare(&self, analytic: &HostTensor, allowed: f64) -> Result<Option<String>, String> {
        let (a, n) = (analytic.to_f64(), analytic.count());
        let mut random = Random(n as u64);
        let alone: Vec<usize> =
            if n <= ALONE { (0..n).collect() } else { (0..ALONE).map(|_| random.below(n)).collect() };
        for k in alone {
            let numeric = self.slope(&mut |x| x[k] += H, &mut |x| x[k] -= H)?;
            if differ(a[k], numeric, allowed) {
                let found = Mismatch { index: index_of(k, analytic.shape()), got: a[k], want: numeric };
                return Ok(Some(found.to_string()));
            }
        }
        if n > ALONE {
            let signs: Vec<f64> = random.signed(n).into_iter().map(f64::signum).collect();
            let step = |x: &mut [f64], h: f64| x.iter_mut().zip(&signs).for_each(|(x, s)| *x += h * s);
            let up = self.at(&mut |x| step(x, H))?;
            let down = self.at(&mut |x| step(x, -H))?;
            let numeric = (up - down) / (2.0 * H);
            let along: f64 = a.iter().zip(&signs).map(|(a, s)| a * s).sum();
            if differ(along, numeric, allowed) {
                return Ok(Some(format!(" along all elements: got {along:e}, want {numeric:e}")));
            }
        }
        Ok(None)
    }

    fn slope(&self, up: &mut dyn FnMut(&mut [f64]), down: &mut dyn FnMut(&mut [f64])) -> Result<f64, String> {
        Ok((self.at(up)? - self.at(down)?) / (2.0 * H))
    }

    fn at(&self, change: &mut dyn FnMut(&mut [f64])) -> Result<f64, String> {
        let mut feeds = self.feeds.clone();
        let value = feeds.get_mut(self.varied).ok_or("the gradient is to no feed")?;
        let mut numbers = value.to_f64();
        change(&mut numbers);
        *value = HostTensor::new(&numbers, value.shape()).map_err(|e| e.to_string())?;
        let terms = evaluate(self.graph, &self.terms.iter().collect::<Vec<_>>(), &feeds)
            .map_err(|e| e.to_string())?;
        let weights = self.direction.terms.iter().map(|(_, feed)| &feeds[feed.as_str()]);
        Ok(terms
            .iter()
            .zip(weights)
            .flat_map(|(t, w)| t.to_f64().into_iter().zip(w.to_f64()))
            .map(|(t, w)| t * w)
            .sum())
    }
}
