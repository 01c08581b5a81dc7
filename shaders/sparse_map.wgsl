// Sparsemax over contiguous rows, or (flag `square`) 1.5-entmax: a thread a row (flag `serial`), or a workgroup a row.
// The threshold is Newton's, from below: the sum is convex and falls with it, so no step passes the root.
#import shared/grid
#import shared/bits

const THREADS: u32 = 256u;

struct Params {
    rows: u32,
    n: u32,
    steps: u32,
    pad0: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

var<workgroup> partial: array<vec2<f32>, THREADS>;
var<workgroup> total: vec2<f32>;

fn larger(a: f32, b: f32) -> f32 {
    if b > a || kw_is_nan(b) {
        return b;
    }
    return a;
}

// How far an element lies above the threshold; both are relative to the row's maximum.
fn above(value: f32, most: f32, tau: f32) -> f32 {
#if square
    return max((value - most) * 0.5 - tau, 0.0);
#else
    return max((value - most) - tau, 0.0);
#endif
}

// An element's part of the sum, and of the sum's slope.
fn terms(value: f32, most: f32, tau: f32) -> vec2<f32> {
    let a = above(value, most, tau);
#if square
    return vec2<f32>(a * a, 2.0 * a);
#else
    return vec2<f32>(a, select(0.0, 1.0, a > 0.0));
#endif
}

fn result(value: f32, most: f32, tau: f32) -> f32 {
    if !kw_is_finite(most) {
        return kw_nan();
    }
    return terms(value, most, tau).x;
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
    let group = linear_group(wid, groups);
    var tau = -1.0;
#if serial
    let row = group * THREADS + local;
    if row >= params.rows {
        return;
    }
    let base = row * params.n;
    var most = -kw_inf();
    for (var i = 0u; i < params.n; i++) {
        most = larger(most, x[base + i]);
    }
    for (var step = 0u; step < params.steps; step++) {
        var sum = vec2<f32>(0.0);
        for (var i = 0u; i < params.n; i++) {
            sum += terms(x[base + i], most, tau);
        }
        let next = tau + (sum.x - 1.0) / sum.y;
        let done = !(next > tau);
        tau = next;
        if done {
            break;
        }
    }
    for (var i = 0u; i < params.n; i++) {
        y[base + i] = result(x[base + i], most, tau);
    }
#else
    if group >= params.rows {
        return;
    }
    let base = group * params.n;
    var most = -kw_inf();
    for (var i = local; i < params.n; i += THREADS) {
        most = larger(most, x[base + i]);
    }
    partial[local].x = most;
    workgroupBarrier();
    for (var half = THREADS / 2u; half > 0u; half = half / 2u) {
        if local < half {
            partial[local].x = larger(partial[local].x, partial[local + half].x);
        }
        workgroupBarrier();
    }
    most = partial[0].x;
    workgroupBarrier();
    for (var step = 0u; step < params.steps; step++) {
        var sum = vec2<f32>(0.0);
        for (var i = local; i < params.n; i += THREADS) {
            sum += terms(x[base + i], most, tau);
        }
        partial[local] = sum;
        workgroupBarrier();
        for (var half = THREADS / 2u; half > 0u; half = half / 2u) {
            if local < half {
                partial[local] += partial[local + half];
            }
            workgroupBarrier();
        }
        if local == 0u {
            total = partial[0];
        }
        // The same for all threads, so that all leave the loop together.
        let whole = workgroupUniformLoad(&total);
        let next = tau + (whole.x - 1.0) / whole.y;
        let done = !(next > tau);
        tau = next;
        if done {
            break;
        }
    }
    for (var i = local; i < params.n; i += THREADS) {
        y[base + i] = result(x[base + i], most, tau);
    }
#endif
}
