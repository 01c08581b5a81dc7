// Cross-entropy of logits [rows, classes] and class indices: a thread a row (flag `serial`) or a workgroup a row makes
// its loss; then (flag `mean`) one workgroup takes the mean in a tree. An index outside 0..classes is clamped and counted.
#import shared/grid
#import shared/bits
#import shared/exp
#import shared/log

const THREADS: u32 = 256u;

struct Params {
    rows: u32,
    classes: u32,
    smoothing: f32,
    count: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
var<workgroup> partial: array<f32, THREADS>;

#if mean
@group(0) @binding(1) var<storage, read> losses: array<f32>;
@group(0) @binding(2) var<storage, read_write> loss: array<f32>;

@compute @workgroup_size(THREADS)
fn main(@builtin(local_invocation_index) local: u32) {
    var sum = 0.0;
    for (var row = local; row < params.rows; row += THREADS) {
        sum += losses[row];
    }
    partial[local] = sum;
    workgroupBarrier();
    for (var step = THREADS / 2u; step > 0u; step = step / 2u) {
        if local < step {
            partial[local] += partial[local + step];
        }
        workgroupBarrier();
    }
    if local == 0u {
        loss[0] = partial[0] / params.count;
    }
}
#else
@group(0) @binding(1) var<storage, read> logits: array<f32>;
#if unsigned
@group(0) @binding(2) var<storage, read> targets: array<u32>;
#else
@group(0) @binding(2) var<storage, read> targets: array<i32>;
#endif
@group(0) @binding(3) var<storage, read_write> losses: array<f32>;
@group(0) @binding(4) var<storage, read_write> status: array<atomic<u32>>;

fn larger(a: f32, b: f32) -> f32 {
    if b > a || kw_is_nan(b) {
        return b;
    }
    return a;
}

// The class of a row. A negative index is a large one.
fn class_of(row: u32) -> u32 {
    let chosen = u32(targets[row]);
    if chosen < params.classes {
        return chosen;
    }
    atomicAdd(&status[0], 1u);
    return params.classes - 1u;
}

// The loss of a row, from the maximum `most` of its logits, and the sums of e^(x - most) and of x - most.
fn row_loss(row: u32, most: f32, exponentials: f32, shifted: f32) -> f32 {
    let log_sum = kw_log(exponentials);
    let chosen = logits[row * params.classes + class_of(row)];
    var loss = (1.0 - params.smoothing) * (log_sum - (chosen - most));
    if params.smoothing > 0.0 {
        loss += params.smoothing * (log_sum - shifted / f32(params.classes));
    }
    return loss;
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
#if serial
    let row = linear_thread(wid, groups, local, THREADS);
    let first = 0u;
    let step = 1u;
#else
    let row = linear_group(wid, groups);
    let first = local;
    let step = THREADS;
#endif
    if row >= params.rows {
        return;
    }
    let base = row * params.classes;
    var most = -kw_inf();
    for (var c = first; c < params.classes; c += step) {
        most = larger(most, logits[base + c]);
    }
#if !serial
    partial[local] = most;
    workgroupBarrier();
    for (var half = THREADS / 2u; half > 0u; half = half / 2u) {
        if local < half {
            partial[local] = larger(partial[local], partial[local + half]);
        }
        workgroupBarrier();
    }
    most = partial[0];
    workgroupBarrier();
#endif
    var exponentials = 0.0;
    var shifted = 0.0;
    for (var c = first; c < params.classes; c += step) {
        let value = logits[base + c] - most;
        exponentials += kw_exp(value);
        shifted += value;
    }
#if serial
    losses[row] = row_loss(row, most, exponentials, shifted);
#else
    partial[local] = exponentials;
    workgroupBarrier();
    for (var half = THREADS / 2u; half > 0u; half = half / 2u) {
        if local < half {
            partial[local] += partial[local + half];
        }
        workgroupBarrier();
    }
    exponentials = partial[0];
    workgroupBarrier();
    partial[local] = shifted;
    workgroupBarrier();
    for (var half = THREADS / 2u; half > 0u; half = half / 2u) {
        if local < half {
            partial[local] += partial[local + half];
        }
        workgroupBarrier();
    }
    if local == 0u {
        losses[row] = row_loss(row, most, exponentials, partial[0]);
    }
#endif
}
#endif
