//! Every registered operation against its definition in f64: outputs, gradients and gradients of gradients, on every
//! backend, in every kernel variant, through odd layouts, over memory full of NaN, and at special values.
//!
//! Truth is the oracle's value of the f64 graph. The rules:
//! - an f32 output holds within `tolerance * max(1, |truth|)`, a gradient within `tolerance * max(1, largest gradient)`;
//! - a program in f64 on the CPU equals the oracle within 1e-12, in the same measures;
//! - analytic gradients equal central differences within `1e-6 * max(1, largest gradient)`, in f64 with h = 1e-5;
//! - the same run gives the same bits again, whatever the memory held in between.

mod differences;

mod measure;
mod narrow;
mod report;
mod special;
mod subject;

use std::{collections::HashSet, sync::Arc};

use knotwork::{
    Device,
    ops::{Case, Cases, Registered, registry},
    plan::{DeviceKind, Plan, PlanOptions},
};

pub use report::{Failure, Report};

use crate::{
    backends::{Backend, Selection},
    caught, fill,
};
use subject::{Form, Runner, Subject, Truth};

/// What is wrong with a case: what was checked, and how it fails.
type Wrong = Vec<(String, String)>;

/// Runs every case of every selected operation on every backend. `failed` is told of what does not hold, as it is
/// found. Gradients against central differences are counted under the name `oracle`.
pub fn run(selection: &Selection, list: List, backends: &[Backend], failed: impl FnMut(&Failure)) -> Report {
    let ops: Vec<Registered> = registry().into_iter().filter(|op| selection.takes(op.name)).collect();
    run_ops(&ops, list, backends, failed)
}

/// How much of the list runs on GPUs. The CPU always runs all of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum List {
    /// Every case, every form, every variant.
    #[default]
    Full,
    /// What shows a kernel that nothing before has shown on that backend: every kernel, by name, at least once.
    /// Odd layouts and other constants and flags are left to the full list: compiling kernels takes most of the time.
    Short,
}

/// [`run`] over operations of one's own: a custom operation is tested like those of the library.
pub fn run_ops(
    ops: &[Registered],
    list: List,
    backends: &[Backend],
    mut failed: impl FnMut(&Failure),
) -> Report {
    let mut report = Report::new(backends);
    let mut shown: Vec<Shown> = backends.iter().map(|_| (list == List::Short).then(HashSet::new)).collect();
    for op in ops {
        for case in op.cases() {
            for (backend, wrong) in run_case(op, &case, list, backends, &mut shown) {
                let wrong = wrong.unwrap_or_else(|message| vec![("case".into(), message)]);
                report.count(&backend, wrong.is_empty());
                for (what, message) in wrong {
                    let (op, case, backend) = (op.name.into(), case.name.clone(), backend.clone());
                    let failure = Failure { op, case, backend, what, message };
                    failed(&failure);
                    report.failures.push(failure);
                }
            }
        }
    }
    report
}

/// What is wrong with a case on each backend, and with its gradients under the name `oracle`.
fn run_case(
    op: &Registered,
    case: &Case,
    list: List,
    backends: &[Backend],
    shown: &mut [Shown],
) -> Vec<(String, Result<Wrong, String>)> {
    let mut all = Vec::new();
    let prepared = caught(|| prepare(op, case));
    // A short list is for another device: the definitions were held to their own on the way there.
    match &prepared {
        Ok((plain, _, truth)) if list == List::Full => {
            all.push(("oracle".into(), caught(|| differences::check(plain, truth))));
        }
        Ok(_) => {}
        Err(message) => all.push(("oracle".into(), Err(message.clone()))),
    }
    let Ok((plain, strided, truth)) = prepared else { return all };
    for (backend, shown) in backends.iter().zip(shown) {
        // A device without 16-bit floats says so at planning; there is nothing to hold.
        if plain.is_half() && !backend.device.capabilities().f16 {
            continue;
        }
        let found = caught(|| on(&backend.device, shown, op, case, &plain, &strided, &truth));
        all.push((backend.name.clone(), found));
    }
    all
}

fn prepare(op: &Registered, case: &Case) -> Result<(Subject, Subject, Truth), String> {
    let seed = fill::seed(&[op.name, &case.name]);
    let plain = Subject::new(case, seed, Form::Plain)?;
    let truth = plain.truth()?;
    Ok((plain, Subject::new(case, seed, Form::Strided)?, truth))
}

/// The names of the kernels that a short list has shown so far; `None` where the list is full.
type Shown = Option<HashSet<String>>;

/// Everything that one backend must get right of a case.
fn on(
    device: &Device,
    shown: &mut Shown,
    op: &Registered,
    case: &Case,
    plain: &Subject,
    strided: &Subject,
    truth: &Truth,
) -> Result<Wrong, String> {
    let mut wrong = Vec::new();
    let forms = [(plain, ""), (strided, "strided ")];
    for (subject, form) in forms.into_iter().take(if shown.is_some() { 1 } else { 2 }) {
        let mut seen = Vec::new();
        for options in options(device) {
            let mut program = subject.program(device, options)?;
            // Variants end where a plan comes again.
            let variants = program.kernels()?;
            if options.variant.is_some() && seen.contains(&variants) {
                break;
            }
            if device.info().kind == DeviceKind::Gpu && !is_new(&mut program, shown)? {
                seen.push(variants);
                continue;
            }
            let about = format!("{form}{}", describe(options, &variants));
            let found = measure::check(subject, truth, &mut program);
            wrong.extend(found.into_iter().map(|(what, message)| (format!("{about}{what}"), message)));
            seen.push(variants);
        }
    }
    if device.info().kind == DeviceKind::Gpu && shown.is_none() {
        let narrow = narrow::narrow(device);
        // Work that does not fit such grids at all has no plan on it.
        if let Ok(mut program) = plain.program(&narrow, PlanOptions::default())
            && program.plan().is_ok()
        {
            let found = measure::check(plain, truth, &mut program);
            wrong.extend(found.into_iter().map(|(what, message)| (format!("narrow grids {what}"), message)));
        }
    }
    if device.info().kind == DeviceKind::Cpu {
        let found = measure::in_double(plain, truth, device)?;
        wrong.extend(found.into_iter().map(|(what, message)| (format!("f64 {what}"), message)));
    }
    if matches!(op.cases, Cases::Row(_)) && case.inputs.iter().all(|i| i.shape == [65]) {
        wrong.extend(special::check(case, device)?);
    }
    Ok(wrong)
}

/// Whether a program has a kernel that was not shown yet; all of its kernels count as shown then.
fn is_new(program: &mut Runner, shown: &mut Shown) -> Result<bool, String> {
    let Some(shown) = shown else { return Ok(true) };
    let plan = program.plan()?;
    Ok(plan.dispatches.iter().filter(|d| shown.insert(d.kernel.name.clone())).count() > 0)
}

/// Every plan that [`run`] would run of an operation on a device, in every variant: `each` gets the case's name and the
/// plan, or why there is none.
pub fn plans(op: &Registered, device: &Device, mut each: impl FnMut(&str, Result<Arc<Plan>, String>)) {
    for case in op.cases() {
        for form in [Form::Plain, Form::Strided] {
            let mut seen = Vec::new();
            for options in options(device) {
                let found = caught(|| {
                    let subject = Subject::new(&case, fill::seed(&[op.name, &case.name]), form)?;
                    let mut program = subject.program(device, options)?;
                    Ok((program.kernels()?, program.plan()?))
                });
                match found {
                    Ok((variants, plan)) => {
                        if seen.contains(&variants) {
                            break;
                        }
                        seen.push(variants);
                        each(&case.name, Ok(plan));
                    }
                    Err(message) => {
                        each(&case.name, Err(message));
                        break;
                    }
                }
            }
        }
    }
}

/// More kernel variants than any operation has.
const VARIANTS: usize = 64;

fn options(device: &Device) -> Vec<PlanOptions> {
    let usual = PlanOptions::default();
    match device.info().kind {
        DeviceKind::Cpu => vec![usual, PlanOptions { no_fuse: true, no_alias: true, ..usual }],
        DeviceKind::Gpu => {
            let others = (1..VARIANTS).map(|n| PlanOptions { variant: Some(n), ..usual });
            std::iter::once(usual).chain(others).collect()
        }
    }
}

fn describe(options: PlanOptions, variants: &[String]) -> String {
    let mut text = String::new();
    if options.no_fuse {
        text.push_str("unfused ");
    }
    if options.variant.is_some() {
        let mut names = variants.to_vec();
        names.dedup();
        text = format!("variants {} ", names.join(", "));
    }
    text
}
