//! Unaligned vector loads and stores at any element of a slice. Bounds are checked in debug builds; the callers walk
//! rows whose extent they have checked once, and a check at each load would cost as much as the arithmetic.

use pulp::Simd;

/// The vector at `s[at..]`.
///
/// # Safety
/// `at + S::F32_LANES <= s.len()`.
#[inline(always)]
pub(in crate::ops) unsafe fn load<S: Simd>(s: &[f32], at: usize) -> S::f32s {
    debug_assert!(at + S::F32_LANES <= s.len());
    // SAFETY: the elements exist, and a vector of f32 is F32_LANES of them without padding.
    unsafe { s.as_ptr().add(at).cast::<S::f32s>().read_unaligned() }
}

/// Writes the vector to `s[at..]`.
///
/// # Safety
/// `at + S::F32_LANES <= s.len()`.
#[inline(always)]
pub(in crate::ops) unsafe fn store<S: Simd>(s: &mut [f32], at: usize, value: S::f32s) {
    debug_assert!(at + S::F32_LANES <= s.len());
    // SAFETY: as in `load`.
    unsafe { s.as_mut_ptr().add(at).cast::<S::f32s>().write_unaligned(value) }
}

/// One element.
///
/// # Safety
/// `at < s.len()`.
#[inline(always)]
pub(super) unsafe fn get<T: Copy>(s: &[T], at: usize) -> T {
    debug_assert!(at < s.len());
    // SAFETY: the caller's promise.
    unsafe { *s.get_unchecked(at) }
}

/// Where vectors of `lanes` begin that cover `0..len`, and how many of the last one's lanes the one before covers too.
/// `len` is at least `lanes`.
pub(super) fn cover(len: usize, lanes: usize) -> (usize, usize) {
    let vectors = len.div_ceil(lanes);
    (vectors, vectors * lanes - len)
}
