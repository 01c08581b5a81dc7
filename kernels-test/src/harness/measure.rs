//! Holds a program's values against the truth.

use knotwork::{Device, HostTensor};

use super::{
    Wrong,
    subject::{Runner, Subject, Truth},
};
use crate::{
    compare::{compare, worst},
    fill::tensor,
};

/// The largest gradient of each order; outputs have their own magnitude each.
fn largest(subject: &Subject, truth: &Truth) -> [f64; 3] {
    let mut all = [0.0; 3];
    for (watched, value) in subject.watched.iter().zip(&truth.0) {
        let at: &mut f64 = &mut all[watched.order];
        *at = value.to_f64().iter().fold(*at, |m, x| m.max(x.abs()));
    }
    all
}

/// The values that miss the truth by more than `tolerance`, in the harness's measures.
pub(super) fn differing(subject: &Subject, truth: &Truth, got: &[HostTensor], tolerance: f64) -> Wrong {
    let largest = largest(subject, truth);
    let mut wrong = Vec::new();
    for ((watched, got), want) in subject.watched.iter().zip(got).zip(&truth.0) {
        let allowed = |w: f64| {
            let magnitude = if watched.order == 0 { w.abs() } else { largest[watched.order] };
            tolerance * magnitude.max(1.0)
        };
        if let Err(message) = compare(got, want, allowed) {
            wrong.push((watched.what.clone(), message));
        }
    }
    wrong
}

/// Runs, runs over NaN, and runs again: the first holds, the last has its bits.
pub(super) fn check(subject: &Subject, truth: &Truth, program: &mut Runner) -> Wrong {
    let feeds = || subject.feeds.iter().map(|(n, v)| (n.as_str(), v));
    let first = match program.run(feeds()) {
        Ok(values) => values,
        Err(message) => return vec![("run".into(), message)],
    };
    let mut wrong = differing(subject, truth, &first, subject.tolerance);
    let mut poison = Vec::new();
    for (name, value) in &subject.feeds {
        let nan = vec![f64::NAN; value.count()];
        let poisoned = if value.dtype().is_float() {
            tensor(value.dtype(), &nan, value.shape())
        } else {
            Ok(value.clone())
        };
        match poisoned {
            Ok(value) => poison.push((name.as_str(), value)),
            Err(e) => return vec![("poison".into(), e.to_string())],
        }
    }
    if let Err(message) = program.run(poison.iter().map(|(n, v)| (*n, v))) {
        wrong.push(("run over NaN".into(), message));
    }
    match program.run(feeds()) {
        Err(message) => wrong.push(("second run".into(), message)),
        Ok(second) => {
            for (watched, (a, b)) in subject.watched.iter().zip(first.iter().zip(&second)) {
                if a.device_bytes() != b.device_bytes() {
                    let at = worst(&b.to_f64(), &a.to_f64(), a.shape(), |_| 0.0);
                    let at = at.map_or_else(|| "in the sign of a zero".into(), |m| m.to_string());
                    wrong.push((format!("{}, run again after NaN", watched.what), at));
                }
            }
        }
    }
    wrong
}

/// The f64 graph as a program on the CPU against the oracle.
pub(super) fn in_double(subject: &Subject, truth: &Truth, device: &Device) -> Result<Wrong, String> {
    let (graph, feeds) = subject.wide()?;
    let tensors = subject.wide_tensors(&graph)?;
    let mut program = Runner::new(device, &graph, &tensors.iter().collect::<Vec<_>>(), Default::default())?;
    let got = program.run(feeds.iter().map(|(n, v)| (*n, v)))?;
    Ok(differing(subject, truth, &got, 1e-12))
}
