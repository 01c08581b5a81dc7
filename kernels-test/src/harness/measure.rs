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

/// Runs, runs over infinities and NaN, and runs again: the first holds, the last has its bits.
pub(super) fn check(subject: &Subject, truth: &Truth, program: &mut Runner) -> Wrong {
    let feeds = || subject.feeds.iter().map(|(n, v)| (n.as_str(), v));
    let first = match program.run(feeds()) {
        Ok(values) => values,
        Err(message) => return vec![("run".into(), message)],
    };
    let mut wrong = differing(subject, truth, &first, subject.tolerance);
    for bad in [f64::NEG_INFINITY, f64::INFINITY, f64::NAN] {
        let filled: knotwork::Result<Vec<(&str, HostTensor)>> = subject
            .feeds
            .iter()
            .map(|(name, value)| {
                let all = vec![bad; value.count()];
                let float = value.dtype().is_float();
                let value = if float { tensor(value.dtype(), &all, value.shape())? } else { value.clone() };
                Ok((name.as_str(), value))
            })
            .collect();
        let ran = filled
            .map_err(|e| e.to_string())
            .and_then(|filled| program.run(filled.iter().map(|(n, v)| (*n, v))));
        if let Err(message) = ran {
            wrong.push((format!("run over {bad}"), message));
        }
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
