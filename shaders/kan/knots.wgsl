// B-splines on knots of each input, rows of grid + 2k + 1, where they are not 0, at derivative KAN_DERIVATIVE.
//
// A search gives the cell [t_q, t_(q+1)) of x. Then with v_r = w_r / (t_(q+r+1) - t_(q+1-j+r)), from w_0 = 1,
// w_r <- (x - t_(q-j+r)) v_(r-1) + (t_(q+r+1) - x) v_r: sums of non-negative terms, and no distance is 0 because the cell
// is not empty. Each derivative is w_r <- j (v_(r-1) - v_r).
#import kan/params

// The binding of the knots, behind all others of a kernel.
const KAN_KNOTS: u32 = 9u;
// Whether t_G belongs to the last cell before it that is not empty.
const KAN_CLOSED: u32 = 0u;
const KAN_AROUND: u32 = max(2u * KAN_ORDER, 1u);

@group(0) @binding(KAN_KNOTS) var<storage, read> knots: array<f32>;

// The same number for all functions.
fn kan_all(value: f32) -> KanLocal {
    var out: KanLocal;
    for (var r = 0u; r <= KAN_ORDER; r++) {
        out.weights[r] = value;
    }
    return out;
}

// Start and weights at x of input i. All weights are 0 beyond the outermost knots, and NaN at NaN and where x is between
// these, but in no cell: knots that fall or are no numbers.
fn kan_at(x: f32, i: u32) -> KanLocal {
    if kw_is_nan(x) {
        return kan_all(x);
    }
    let wide = params.grid + 2u * KAN_ORDER + 1u;
    let row = i * wide;
    let end = knots[row + KAN_ORDER + params.grid];
    let held = KAN_CLOSED != 0u && x >= end;
    if x < knots[row] || (!held && x >= knots[row + wide - 1u]) {
        return kan_all(0.0);
    }
    // The number of knots at or below x, or of those below the end that it is held at.
    var low = 0u;
    var high = wide;
    while low < high {
        let middle = (low + high) / 2u;
        let t = knots[row + middle];
        if (held && t < end) || (!held && t <= x) {
            low = middle + 1u;
        } else {
            high = middle;
        }
    }
    if low == 0u || low >= wide {
        return kan_all(kw_nan());
    }
    if !(knots[row + low - 1u] <= x && (held || x < knots[row + low])) {
        return kan_all(kw_nan());
    }
    // The knots around the cell; those beyond the row belong to functions that do not exist.
    let k = i32(KAN_ORDER);
    let cell = i32(low) - 1;
    var t: array<f32, KAN_AROUND>;
    for (var m = 0; m < 2 * k; m++) {
        t[m] = knots[row + u32(clamp(cell + 1 - k + m, 0, i32(wide) - 1))];
    }
    var w: array<f32, KAN_ORDER + 1u>;
    w[0] = 1.0;
    let rise = k - i32(min(KAN_DERIVATIVE, KAN_ORDER));
    for (var j = 1; j <= k; j++) {
        var saved = 0.0;
        for (var r = 0; r < j; r++) {
            let above = t[k + r];
            let below = t[k - j + r];
            var part = w[r] / (above - below);
            if j <= rise {
                w[r] = fma(above - x, part, saved);
                saved = (x - below) * part;
            } else {
                part *= f32(j);
                w[r] = saved - part;
                saved = part;
            }
        }
        w[j] = saved;
    }
    // Beyond the grid some functions do not exist: the others move to the rows that name them.
    var out: KanLocal;
    let first = clamp(cell - k, 0, i32(params.grid) - 1);
    out.start = u32(first);
    for (var r = 0; r <= k; r++) {
        let head = r - (cell - k - first);
        if head >= 0 && head <= k {
            out.weights[r] = w[head];
        }
    }
    return out;
}
