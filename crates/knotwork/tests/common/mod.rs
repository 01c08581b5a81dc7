//! What several tests need.

use knotwork::prelude::*;

/// The CPU and, where this build has GPUs, one with checked and one with trusted shaders.
pub fn devices() -> Vec<Device> {
    #[allow(unused_mut, reason = "without the feature `gpu` there is only one")]
    let mut all = vec![Device::cpu()];
    #[cfg(feature = "gpu")]
    for profile in [knotwork::gpu::Profile::Checked, knotwork::gpu::Profile::Trusted] {
        let options = knotwork::gpu::Options { profile, ..Default::default() };
        all.push(knotwork::gpu::open(&options).expect("a GPU driver: `cargo xtask setup`"));
    }
    all
}
