// Cross-entropy of logits [rows, classes] and class indices: the loss (flag `loss`), its gradient to the logits times
// the loss's own gradient (flag `gradient`), or both. `per` threads take a row, a workgroup THREADS / per rows at a time.
// One workgroup takes the whole batch and its mean (flag `whole`); else each takes a part and leaves the rows' losses,
// of which one workgroup takes the mean in a tree (flag `mean`). An index outside 0..classes is clamped and counted.
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
    // The target distribution at the class and elsewhere.
    high: f32,
    low: f32,
    // Threads a row, a power of two.
    per: u32,
    pad0: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
var<workgroup> partial: array<f32, THREADS>;

// The sum over `width` neighbouring threads, in all of them.
fn sum_of(value: f32, local: u32, width: u32) -> f32 {
    partial[local] = value;
    workgroupBarrier();
    for (var half = width / 2u; half > 0u; half = half / 2u) {
        if local % width < half {
            partial[local] += partial[local + half];
        }
        workgroupBarrier();
    }
    let sum = partial[local - local % width];
    workgroupBarrier();
    return sum;
}

#if mean
@group(0) @binding(1) var<storage, read> losses: array<f32>;
@group(0) @binding(2) var<storage, read_write> loss: array<f32>;

@compute @workgroup_size(THREADS)
fn main(@builtin(local_invocation_index) local: u32) {
    var sum = 0.0;
    for (var row = local; row < params.rows; row += THREADS) {
        sum += losses[row];
    }
    sum = sum_of(sum, local, THREADS);
    if local == 0u {
        loss[0] = sum / params.count;
    }
}
#else
@group(0) @binding(1) var<storage, read> logits: array<f32>;
#if unsigned
@group(0) @binding(2) var<storage, read> targets: array<u32>;
#else
@group(0) @binding(2) var<storage, read> targets: array<i32>;
#endif
@group(0) @binding(3) var<storage, read_write> status: array<atomic<u32>>;
#if gradient
// The gradient of what is wanted to the loss: one number.
@group(0) @binding(4) var<storage, read> upstream: array<f32>;
@group(0) @binding(5) var<storage, read_write> slope: array<f32>;
#if loss
// One number, or (without `whole`) one a row.
@group(0) @binding(6) var<storage, read_write> loss: array<f32>;
#endif
#else
@group(0) @binding(4) var<storage, read_write> loss: array<f32>;
#endif

fn larger(a: f32, b: f32) -> f32 {
    if b > a || kw_is_nan(b) {
        return b;
    }
    return a;
}

// The largest over `params.per` neighbouring threads, in all of them.
fn largest_of(value: f32, local: u32) -> f32 {
    partial[local] = value;
    workgroupBarrier();
    for (var half = params.per / 2u; half > 0u; half = half / 2u) {
        if local % params.per < half {
            partial[local] = larger(partial[local], partial[local + half]);
        }
        workgroupBarrier();
    }
    let most = partial[local - local % params.per];
    workgroupBarrier();
    return most;
}

// The class of a row; the thread that may count does so where it had to be clamped. A negative index is a large one.
fn class_of(row: u32, counts: bool) -> u32 {
    let chosen = u32(targets[row]);
    if chosen < params.classes {
        return chosen;
    }
    if counts {
        atomicAdd(&status[0], 1u);
    }
    return params.classes - 1u;
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
    let lane = local % params.per;
    let side = THREADS / params.per;
#if whole
    var begin = 0u;
    let end = params.rows;
    var total = 0.0;
#else
    var begin = linear_group(wid, groups) * side;
    let end = min(begin + side, params.rows);
#endif
    for (; begin < end; begin += side) {
        let row = begin + local / params.per;
        // Threads beyond the last row walk over nothing, but meet the others at the barriers.
        let classes = select(0u, params.classes, row < params.rows);
        let base = row * params.classes;
        var most = -kw_inf();
        for (var c = lane; c < classes; c += params.per) {
            most = larger(most, logits[base + c]);
        }
        most = largest_of(most, local);
        var exponentials = 0.0;
        var shifted = 0.0;
        for (var c = lane; c < classes; c += params.per) {
            let value = logits[base + c] - most;
            exponentials += kw_exp(value);
            shifted += value;
        }
        exponentials = sum_of(exponentials, local, params.per);
#if loss
        shifted = sum_of(shifted, local, params.per);
#endif
        if row < params.rows {
            let class_index = class_of(row, lane == 0u);
#if loss
            if lane == 0u {
                let log_sum = kw_log(exponentials);
                var row_loss = (1.0 - params.smoothing) * (log_sum - (logits[base + class_index] - most));
                if params.smoothing > 0.0 {
                    row_loss += params.smoothing * (log_sum - shifted / f32(params.classes));
                }
#if whole
                total += row_loss;
#else
                loss[row] = row_loss;
#endif
            }
#endif
#if gradient
            let scale = upstream[0] / params.count;
            for (var c = lane; c < classes; c += params.per) {
                let wanted = select(params.low, params.high, c == class_index);
                slope[base + c] = (kw_exp(logits[base + c] - most) / exponentials - wanted) * scale;
            }
#endif
        }
    }
#if whole
#if loss
    total = sum_of(total, local, THREADS);
    if local == 0u {
        loss[0] = total / params.count;
    }
#endif
#endif
}
#endif
