//! The four cubic B-splines that are not 0 in a cell, as polynomials of u in [0, 1) and v = 1 − u.
//!
//! On [0, 1] no difference cancels: 2/3 − u² (1 − u/2) lies in [1/6, 2/3], 2 − 3u/2 in [1/2, 2].

use super::{
    MAX_ORDER,
    local::{CHUNK, Chunk},
};

/// v³/6, 2/3 − u² (1 − u/2), 2/3 − v² (1 − v/2), u³/6, each times what the first row holds.
#[inline(always)]
pub(super) fn values(u: &Chunk, rows: &mut [Chunk; MAX_ORDER + 1]) {
    for l in 0..CHUNK {
        let (f, u) = (rows[0][l], u[l]);
        let v = 1.0 - u;
        let (uu, vv) = (u * u, v * v);
        rows[0][l] = f * (vv * v * (1.0 / 6.0));
        rows[1][l] = f * (2.0 / 3.0 - uu * (1.0 - 0.5 * u));
        rows[2][l] = f * (2.0 / 3.0 - vv * (1.0 - 0.5 * v));
        rows[3][l] = f * (uu * u * (1.0 / 6.0));
    }
}

/// −v²/2, −u (2 − 3u/2), v (2 − 3v/2), u²/2, each times what the first row holds.
#[inline(always)]
pub(super) fn slopes(u: &Chunk, rows: &mut [Chunk; MAX_ORDER + 1]) {
    for l in 0..CHUNK {
        let (f, u) = (rows[0][l], u[l]);
        let v = 1.0 - u;
        rows[0][l] = f * (v * v * -0.5);
        rows[1][l] = f * (u * (1.5 * u - 2.0));
        rows[2][l] = f * (v * (2.0 - 1.5 * v));
        rows[3][l] = f * (u * u * 0.5);
    }
}
