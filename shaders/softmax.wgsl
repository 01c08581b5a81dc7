// Softmax over contiguous rows, or (flag `log`) its logarithm: a thread a row (flag `serial`), or a workgroup a row.
#import shared/grid
#import shared/bits
#import shared/exp
#import shared/log

const THREADS: u32 = 256u;

struct Params {
    rows: u32,
    n: u32,
    pad0: u32,
    pad1: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
// Fused steps may take the place of this function, with what it binds.
#if !epilogue
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

fn emit(at: u32, value: f32) {
    y[at] = value;
}
#endif

var<workgroup> partial: array<f32, THREADS>;

fn larger(a: f32, b: f32) -> f32 {
    if b > a || kw_is_nan(b) {
        return b;
    }
    return a;
}

// The result from an element, its row's maximum and the sum of the row's exponentials (or its logarithm).
fn result(value: f32, most: f32, sum: f32) -> f32 {
#if log
    return (value - most) - sum;
#else
    return kw_exp(value - most) / sum;
#endif
}

fn finished(sum: f32) -> f32 {
#if log
    return kw_log(sum);
#else
    return sum;
#endif
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
    let group = linear_group(wid, groups);
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
    var sum = 0.0;
    for (var i = 0u; i < params.n; i++) {
        sum += kw_exp(x[base + i] - most);
    }
    sum = finished(sum);
    for (var i = 0u; i < params.n; i++) {
        emit(base + i, result(x[base + i], most, sum));
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
    partial[local] = most;
    workgroupBarrier();
    for (var step = THREADS / 2u; step > 0u; step = step / 2u) {
        if local < step {
            partial[local] = larger(partial[local], partial[local + step]);
        }
        workgroupBarrier();
    }
    most = partial[0];
    workgroupBarrier();
    var sum = 0.0;
    for (var i = local; i < params.n; i += THREADS) {
        sum += kw_exp(x[base + i] - most);
    }
    partial[local] = sum;
    workgroupBarrier();
    for (var step = THREADS / 2u; step > 0u; step = step / 2u) {
        if local < step {
            partial[local] += partial[local + step];
        }
        workgroupBarrier();
    }
    sum = finished(partial[0]);
    for (var i = local; i < params.n; i += THREADS) {
        emit(base + i, result(x[base + i], most, sum));
    }
#endif
}
