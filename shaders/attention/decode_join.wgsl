// The parts of rows of attention over a cache, put together in their order: a thread an output.
#import shared/grid
#import shared/bits
#import shared/exp

const LOWEST: f32 = -3.4028234e38;

struct Params {
    count: u32,
    value_size: u32,
    splits: u32,
    pad: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
// [rows, splits, value_size + 2]: the weighted values, the largest score, the sum; below 0 where the part has no key.
@group(0) @binding(1) var<storage, read> parts: array<f32>;

// Fused steps may take the place of this function, with what it binds.
#if !epilogue
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

fn emit(at: u32, value: f32) {
    y[at] = value;
}
#endif

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
    let at = linear_thread(wid, groups, local, 256u);
    if at >= params.count {
        return;
    }
    let width = params.value_size + 2u;
    let column = at % params.value_size;
    let first = at / params.value_size * params.splits;
    var most = LOWEST;
    var any = false;
    for (var part = first; part < first + params.splits; part++) {
        let score = parts[part * width + params.value_size];
        if !(parts[part * width + params.value_size + 1u] < 0.0) {
            any = true;
            if score > most || kw_is_nan(score) {
                most = score;
            }
        }
    }
    var total = 0.0;
    var sum = 0.0;
    for (var part = first; part < first + params.splits; part++) {
        let numbers = part * width + params.value_size;
        if !(parts[numbers + 1u] < 0.0) {
            // NaN where the largest is an infinity.
            let factor = kw_exp(parts[numbers] - most);
            total += factor * parts[numbers + 1u];
            sum += factor * parts[part * width + column];
        }
    }
    // NaN where all scores are -inf: then nothing was summed.
    emit(at, select(0.0, sum / total, any));
}
