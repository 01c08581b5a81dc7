// B-splines on a uniform grid where they are not 0, and silu, at derivative KAN_DERIVATIVE.
//
// Cell q = floor((x - lo) / h) and u = (x - t_q) / h in [0, 1]; the functions q .. q + k of the extended basis are not 0.
// Their weights come from w_0 = 1 by w_r <- ((u + j - r) w_(r-1) + (1 - u + r) w_r) / j, sums of non-negative terms;
// each derivative is w_r <- (w_(r-1) - w_r) / h.
#import kan/params

// (x - t_q) / h. t_q = lo + q h in two floats: `lost` is what the first one rounds away.
fn kan_offset(x: f32, q: f32) -> f32 {
    let far = q * params.step_hi;
    let knot = params.lo_hi + far;
    let part = knot - params.lo_hi;
    let lost = (params.lo_hi - (knot - part)) + (far - part);
    return ((x - knot) - (lost + (params.lo_lo + q * params.step_lo))) * params.inverse_step;
}

// The cell of NaN.
const KAN_NAN_CELL: i32 = 0x7fffffff;

// The cell of x, from -k - 2 to grid + k + 1: the first and the last one lie beyond all knots. x is not NaN.
fn kan_cell(x: f32) -> i32 {
    let least = f32(-i32(KAN_ORDER) - 2);
    let most = f32(i32(params.grid) + i32(KAN_ORDER) + 1);
    let q = clamp(floor((x - params.lo_hi) * params.inverse_step), least, most);
    let u = kan_offset(x, q);
    if u < 0.0 && q > least {
        return i32(q) - 1;
    } else if u >= 1.0 && q < most {
        return i32(q) + 1;
    }
    return i32(q);
}

// The first function of a cell that exists, such that start + k does too.
fn kan_start(cell: i32) -> u32 {
    return u32(clamp(cell, 0, i32(params.grid) - 1));
}

// Start and weights at x. All weights are 0 beyond the outermost knots, and NaN at NaN.
fn kan_local(x: f32) -> KanLocal {
    if kw_is_nan(x) {
        return kan_local_in(x, KAN_NAN_CELL);
    }
    return kan_local_in(x, kan_cell(x));
}

// The same where the cell of x is known.
fn kan_local_in(x: f32, cell: i32) -> KanLocal {
    var out: KanLocal;
    let k = i32(KAN_ORDER);
    if cell == KAN_NAN_CELL {
        for (var r = 0; r <= k; r++) {
            out.weights[r] = x;
        }
        return out;
    }
    out.start = kan_start(cell);
    if cell < -k || cell >= i32(params.grid) + k {
        return out;
    }
    let u = clamp(kan_offset(x, f32(cell)), 0.0, 1.0);
    var w: array<f32, KAN_ORDER + 1u>;
    let rise = k - i32(min(KAN_DERIVATIVE, KAN_ORDER));
    w[0] = params.unit;
    for (var j = 1; j <= rise; j++) {
        let by = 1.0 / f32(j);
        w[j] = (u * w[j - 1]) * by;
        for (var r = j - 1; r > 0; r--) {
            w[r] = ((u + f32(j - r)) * w[r - 1] + (f32(1 + r) - u) * w[r]) * by;
        }
        w[0] *= (1.0 - u) * by;
    }
    for (var j = rise + 1; j <= k; j++) {
        w[j] = w[j - 1];
        for (var r = j - 1; r > 0; r--) {
            w[r] = w[r - 1] - w[r];
        }
        w[0] = -w[0];
    }
    // Beyond the grid some functions do not exist: the others move to the rows that name them.
    let by = cell - i32(out.start);
    for (var r = 0; r <= k; r++) {
        let head = r - by;
        if head >= 0 && head <= k {
            out.weights[r] = w[head];
        }
    }
    return out;
}
