//! The harness on the CPU, and on operations that are wrong in one way each, which it must find.

#![allow(clippy::unwrap_used, clippy::panic, reason = "in tests a panic is the report")]

use kernels_test::{
    backends::{Backend, Selection},
    harness::{List, Report, run, run_ops},
};
use knotwork::{
    GradContext, Layout, Result, Site, Tensor,
    cpu::CpuIo,
    graph::Meta,
    ops::{Case, CaseInput, Cases, Op, Reference, Registered},
    plan::{KernelRequest, Lowering},
};
use pretty_assertions::assert_eq;

#[test]
fn every_operation_holds_on_the_cpu() {
    let report = run(&Selection::default(), List::Full, &[Backend::cpu()], |_| {});
    assert!(report.passed(), "{report}{:#?}", report.failures);
}

/// What is wrong with an operation that should compute x³.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Flaw {
    Nothing,
    /// The gradient lacks its factor.
    Gradient,
    /// The fast path rounds too much.
    Fast,
    /// The fast path reads strided memory as if it were contiguous.
    Layout,
    /// The fast path leaves the last element as it was.
    Unwritten,
    /// The fast path panics.
    Panic,
}

#[derive(Clone, Debug)]
struct Cube(Flaw);

impl Op for Cube {
    fn name(&self) -> &str {
        "cube"
    }

    fn attributes(&self) -> String {
        format!("{:?}", self.0)
    }

    fn infer(&self, inputs: &[Meta]) -> Result<Vec<Meta>, String> {
        Ok(vec![inputs[0].clone()])
    }

    fn reference(&self, inputs: &[Reference], outputs: &mut [Reference]) -> Result<(), String> {
        outputs[0].data.iter_mut().zip(&inputs[0].data).for_each(|(y, x)| *y = x * x * x);
        Ok(())
    }

    fn cpu(&self, io: &mut CpuIo<'_>) -> Result<bool, String> {
        assert!(self.0 != Flaw::Panic, "as it should");
        let Some(x) = io.inputs[0].f32_strided() else { return Ok(false) };
        let offset = io.inputs[0].layout.offset();
        let Some(y) = io.outputs[0].f32() else { return Ok(false) };
        let written = y.len() - usize::from(self.0 == Flaw::Unwritten);
        for (y, &x) in y[..written].iter_mut().zip(&x[offset..]) {
            *y = x * x * x * if self.0 == Flaw::Fast { 1.0 + 1e-4 } else { 1.0 };
        }
        Ok(true)
    }

    fn kernels(&self, _: &KernelRequest<'_>) -> Result<Vec<Lowering>, String> {
        Err("it has none".into())
    }

    fn accepts(&self, _: usize, layout: &Layout) -> bool {
        self.0 == Flaw::Layout || layout.is_contiguous()
    }

    fn grad(&self, context: &GradContext<'_>) -> Result<Vec<Option<Tensor>>> {
        let factor = if self.0 == Flaw::Gradient { 2.0 } else { 3.0 };
        Ok(vec![Some(context.inputs[0].square()?.mul(factor)?.mul(context.cotangent()?)?)])
    }
}

fn cases<const FLAW: usize>() -> Vec<Case> {
    const FLAWS: [Flaw; 6] =
        [Flaw::Nothing, Flaw::Gradient, Flaw::Fast, Flaw::Layout, Flaw::Unwritten, Flaw::Panic];
    vec![Case::new("cube", vec![CaseInput::new(&[3, 20])], |t| {
        t[0].graph().apply(Cube(FLAWS[FLAW]), &[&t[0]], Site::here())
    })]
}

fn report_of(cases: fn() -> Vec<Case>) -> Report {
    let op = Registered {
        name: "cube",
        formula: "x³",
        inputs: "x […]",
        attributes: "",
        types: "f32, f64",
        source: "",
        cases: Cases::Listed(cases),
    };
    run_ops(&[op], List::Full, &[Backend::cpu()], |_| {})
}

/// (backend, whether some failure speaks of it)
fn finds(report: &Report, backend: &str, what: &str) -> bool {
    report.failures.iter().any(|f| f.backend == backend && format!("{} {}", f.what, f.message).contains(what))
}

#[test]
fn an_operation_that_is_right_holds() {
    let report = report_of(cases::<0>);
    assert!(report.passed(), "{:#?}", report.failures);
    assert_eq!(report.to_string(), "harness oracle: 1 passed, 0 failed\nharness cpu: 1 passed, 0 failed\n");
}

#[test]
fn a_wrong_gradient_is_found_by_differences() {
    let report = report_of(cases::<1>);
    assert!(finds(&report, "oracle", "gradient to x0 against differences"), "{report}{:#?}", report.failures);
}

#[test]
fn a_fast_path_that_rounds_too_much_is_found() {
    let report = report_of(cases::<2>);
    assert!(finds(&report, "cpu", "output 0"), "{report}{:#?}", report.failures);
    assert!(!report.failures.iter().any(|f| f.backend == "oracle"));
}

#[test]
fn strided_memory_read_as_contiguous_is_found() {
    let report = report_of(cases::<3>);
    assert!(finds(&report, "cpu", "strided output 0"), "{report}{:#?}", report.failures);
    assert!(!report.failures.iter().any(|f| f.what.starts_with("output")));
}

#[test]
fn an_element_that_is_never_written_is_found() {
    let report = report_of(cases::<4>);
    assert!(finds(&report, "cpu", "output 0 [2, 19]"), "{report}{:#?}", report.failures);
}

#[test]
fn a_panic_is_a_failure_of_its_case() {
    let report = report_of(cases::<5>);
    assert!(finds(&report, "cpu", "panicked: as it should"), "{report}{:#?}", report.failures);
}
