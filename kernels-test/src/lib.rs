//! Holds every kernel of Knotwork against references.
//!
//! - [`cases`]: the conformance runner; expected values come from someone else's software, in files.
//! - [`harness`]: every registered operation against its own definition in f64, its gradients against central
//!   differences, each GPU variant, odd layouts and special values.
//! - [`random`]: graphs of many operations, planned in every way.
//!
//! The program `kernels-test` runs each of them: `cargo run --release -p kernels-test -- harness`.

pub mod backends;
pub mod cases;
pub mod catalogue;
mod compare;
mod fill;
pub mod harness;
pub mod operations;
pub mod paper;
pub mod random;

pub use compare::{Mismatch, compare};

use std::panic::{AssertUnwindSafe, catch_unwind};

/// What `check` gives; a panic in it is its message, so that one case cannot end the run of all.
pub(crate) fn caught<T>(check: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(check)).unwrap_or_else(|panic| {
        let text = panic
            .downcast_ref::<&str>()
            .map(ToString::to_string)
            .or_else(|| panic.downcast_ref::<String>().cloned());
        Err(format!("panicked: {}", text.unwrap_or_else(|| "without a message".into())))
    })
}
