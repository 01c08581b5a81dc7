//! The value of one edge at the points of a chunk: Σ_r w_r c[start + r], a run of the edge's coefficients for each lane.

use crate::ops::kan::{lanes::get, local::CHUNK};

/// Elements of a table are a multiple of this.
pub(super) const STEP: usize = 32;

/// How coefficients are looked up.
pub(super) trait Lookup: Copy {
    /// Sets the values of an edge.
    ///
    /// # Safety
    /// `start + weights.len() <= table.len()` at each point.
    unsafe fn edge(
        self,
        table: &[f32],
        start: &[u32; CHUNK],
        weights: &[[f32; CHUNK]],
        values: &mut [f32; CHUNK],
    );
}

/// Loads of single elements: what every instruction set has.
#[derive(Clone, Copy)]
pub(super) struct Loads;

impl Lookup for Loads {
    #[inline(always)]
    unsafe fn edge(
        self,
        table: &[f32],
        start: &[u32; CHUNK],
        weights: &[[f32; CHUNK]],
        values: &mut [f32; CHUNK],
    ) {
        values.fill(0.0);
        for (r, weights) in weights.iter().enumerate() {
            for l in 0..CHUNK {
                // SAFETY: the caller's promise.
                values[l] += weights[l] * unsafe { get(table, start[l] as usize + r) };
            }
        }
    }
}

/// Permutations of registers that hold the whole table: `PAIRS` times 32 coefficients.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
pub(super) struct Registers<const PAIRS: usize>(pub pulp::x86::V4);

#[cfg(target_arch = "x86_64")]
impl<const PAIRS: usize> Lookup for Registers<PAIRS> {
    #[inline(always)]
    unsafe fn edge(
        self,
        table: &[f32],
        start: &[u32; CHUNK],
        weights: &[[f32; CHUNK]],
        values: &mut [f32; CHUNK],
    ) {
        use std::arch::x86_64::{__m512, __m512i};
        const LANES: usize = 16;
        let simd = self.0.avx512f;
        let (parts, _) = table.as_chunks::<LANES>();
        let part = |n: usize| -> __m512 { pulp::cast(parts.get(n).copied().unwrap_or_default()) };
        let pairs: [_; PAIRS] = std::array::from_fn(|n| [part(2 * n), part(2 * n + 1)]);
        let (starts, _) = start.as_chunks::<LANES>();
        let (values, _) = values.as_chunks_mut::<LANES>();
        for (n, (start, value)) in starts.iter().zip(values).enumerate() {
            let mut index: __m512i = pulp::cast(*start);
            let mut sum = simd._mm512_setzero_ps();
            for weights in weights {
                let (weights, _) = weights.as_chunks::<LANES>();
                // Each looks at the five lowest bits of an index; the sixth says which pair it means.
                let mut found = simd._mm512_permutex2var_ps(pairs[0][0], index, pairs[0][1]);
                for (high, [a, b]) in pairs.iter().enumerate().skip(1) {
                    let here = simd._mm512_cmpge_epu32_mask(index, simd._mm512_set1_epi32(32 * high as i32));
                    let other = simd._mm512_permutex2var_ps(*a, index, *b);
                    found = simd._mm512_mask_blend_ps(here, found, other);
                }
                sum = simd._mm512_fmadd_ps(pulp::cast(weights[n]), found, sum);
                index = simd._mm512_add_epi32(index, simd._mm512_set1_epi32(1));
            }
            *value = pulp::cast(sum);
        }
    }
}
