// Cross-entropy of logits [rows, classes] and class indices: a thread a row makes its loss; then (flag `mean`) one
// workgroup takes the mean in a tree. An index outside 0..classes is clamped and counted.
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
#if mean
@group(0) @binding(1) var<storage, read> losses: array<f32>;
@group(0) @binding(2) var<storage, read_write> loss: array<f32>;

var<workgroup> partial: array<f32, THREADS>;

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

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
    let row = linear_thread(wid, groups, local, THREADS);
    if row >= params.rows {
        return;
    }
    // A negative index is a large one.
    var chosen = u32(targets[row]);
    if chosen >= params.classes {
        atomicAdd(&status[0], 1u);
        chosen = params.classes - 1u;
    }
    let base = row * params.classes;
    var most = -kw_inf();
    for (var c = 0u; c < params.classes; c++) {
        let value = logits[base + c];
        if value > most || kw_is_nan(value) {
            most = value;
        }
    }
    var sum = 0.0;
    var shifted = 0.0;
    for (var c = 0u; c < params.classes; c++) {
        let value = logits[base + c] - most;
        sum += kw_exp(value);
        shifted += value;
    }
    let log_sum = kw_log(sum);
    var result = (1.0 - params.smoothing) * (log_sum - (logits[base + chosen] - most));
    if params.smoothing > 0.0 {
        result += params.smoothing * (log_sum - shifted / f32(params.classes));
    }
    losses[row] = result;
}
#endif
