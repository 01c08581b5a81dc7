//! The instruction sets of the CPU's own vector loops.

/// The best instruction set with at most eight f32 a vector. Products of matrices use wider ones by themselves (`gemm`);
/// loops over ten outputs or so lose by them what longer ones gain.
#[inline]
pub(crate) fn arch() -> pulp::Arch {
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    {
        pulp::x86::V3::try_new().map_or(pulp::Arch::Scalar, pulp::Arch::V3)
    }
    #[cfg(not(any(target_arch = "x86", target_arch = "x86_64")))]
    {
        widest_arch()
    }
}

/// The best instruction set, AVX-512 where there is some: for loops whose rows fill its vectors.
#[inline]
#[allow(clippy::disallowed_methods, reason = "the one place that asks for it")]
pub(crate) fn widest_arch() -> pulp::Arch {
    pulp::Arch::new()
}

/// The f32 of a vector.
pub(crate) fn lanes(arch: pulp::Arch) -> usize {
    struct Lanes;
    impl pulp::WithSimd for Lanes {
        type Output = usize;

        fn with_simd<S: pulp::Simd>(self, _: S) -> usize {
            S::F32_LANES
        }
    }
    arch.dispatch(Lanes)
}
