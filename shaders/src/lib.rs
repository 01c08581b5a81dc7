//! The WGSL kernels of Knotwork, and the small preprocessor that composes and validates them.
//!
//! Every kernel is a plain `.wgsl` file beside this crate's `src`; what several of them share is in `shared/`. The crate
//! knows no device: it hands out text. A text is composed from a root and its imports, with flags and typed constants, and
//! remembers for each line where it came from:
//!
//! ```
//! use knotwork_shaders::{Constant, Root, compose, validate};
//!
//! let kernel = Root::Text {
//!     name: "scale",
//!     text: "
//! #import shared/grid
//! const GROUP: u32 = 64u;
//! @group(0) @binding(0) var<storage, read_write> data: array<f32>;
//!
//! @compute @workgroup_size(GROUP)
//! fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
//!         @builtin(local_invocation_index) local: u32) {
//!     let i = linear_thread(wid, groups, local, GROUP);
//!     if i < arrayLength(&data) { data[i] = 2.0 * data[i]; }
//! }",
//! };
//! let composed = compose(kernel, &[], &[("GROUP", Constant::U32(128))])?;
//! assert!(composed.text.contains("const GROUP: u32 = 128u;"));
//! assert_eq!(validate(&composed)?.module.entry_points[0].workgroup_size, [128, 1, 1]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod catalog;
mod compose;
mod constant;
mod error;
mod source;
mod validate;
#[cfg(feature = "writers")]
pub mod writers;

pub use catalog::{SHADERS, shader};
pub use compose::{Composition, Root, compose};
pub use constant::Constant;
pub use error::{ComposeError, Place};
pub use source::excerpt;
pub use validate::{ValidateError, Validated, validate};
