//! Elementwise steps inside the kernel of another operation. Only the planner makes these.
//!
//! A kernel that stores its result through `emit` can store what steps make of it instead ([`Epilogue`]); one that reads
//! an input through a function of its own can read what steps make of other values ([`Prologue`]). The composed text
//! imports the hand-written kernel and defines that function.

mod epilogue;
mod prologue;

pub(crate) use epilogue::Epilogue;
pub(crate) use prologue::Prologue;

use std::fmt::Write;

use super::elementwise::Body;
use crate::plan::{ConstantValue, DispatchSpec, Source};

/// The name of the constant that sizes the uniform `fused`.
const FUSED: &str = "FUSED";

/// Adds text to the kernel of a dispatch: functions that take the place of the kernel's own ones under a flag.
pub(super) fn hook(dispatch: &mut DispatchSpec, flag: &'static str, text: &str) {
    compose(dispatch, flag, &Body { steps: Vec::new(), outputs: Vec::new() }, text, &[]);
}

/// Adds text to the kernel of a dispatch, with what it imports and the words that it reads.
fn compose(dispatch: &mut DispatchSpec, flag: &'static str, body: &Body, text: &str, words: &[u32]) {
    let kernel = &mut dispatch.kernel;
    let mut whole = match &kernel.source {
        Source::Named(name) => format!("#import {name}\n"),
        Source::Text(text) => text.to_string(),
    };
    if !words.is_empty() {
        whole.push_str("#import shared/fused\n");
    }
    for import in body.imports() {
        let _ = writeln!(whole, "#import {import}");
    }
    whole.push('\n');
    whole.push_str(text);
    kernel.source = Source::Text(whole.into());
    kernel.flags.push(flag);
    dispatch.params.fuse(words);
    kernel.constants.retain(|(name, _)| *name != FUSED);
    if !dispatch.params.fused().is_empty() {
        let vectors = dispatch.params.fused().len().div_ceil(4) as u32;
        kernel.constants.push((FUSED, ConstantValue::U32(vectors)));
    }
}
