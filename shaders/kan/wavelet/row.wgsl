// y[b, o] = sum_i h[b, i] a[o, i] u^p psi^(d)(u) at u = (x[b, i] - t[o, i]) / s[o, i], for few rows.
//
// A workgroup makes OUTPUTS outputs of one row, over one part of the inputs: LANES threads walk the edges of an output side by
// side, and their sums are added in pairs, in one order. Parts, each over `span` inputs, are added up by kan/add_parts.
#import shared/grid
#import kan/wavelet/psi

const LANES: u32 = 32u;
const OUTPUTS: u32 = 8u;
const THREADS: u32 = LANES * OUTPUTS;

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> amplitude: array<f32>;
@group(0) @binding(3) var<storage, read> scale: array<f32>;
@group(0) @binding(4) var<storage, read> translation: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;
#if weighted
@group(0) @binding(6) var<storage, read> h: array<f32>;
#endif

var<workgroup> sums: array<f32, THREADS>;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
    let group = linear_group(wid, groups);
    let across = (params.outputs + OUTPUTS - 1u) / OUTPUTS;
    if group >= across * params.rows * params.parts {
        return;
    }
    // The part and the row in one number.
    let to = group / across;
    let row = to % params.rows;
    let o = group % across * OUTPUTS + local / LANES;
    let begin = to / params.rows * params.span;
    let last = min(begin + params.span, params.inputs);
    let lane = local % LANES;
    var sum = 0.0;
    if o < params.outputs {
        for (var i = begin + lane; i < last; i += LANES) {
            let point = row * params.inputs + i;
            let edge = o * params.inputs + i;
            var weight = amplitude[edge];
#if weighted
            weight *= h[point];
#endif
            let u = wavelet_argument(x[point], scale[edge], translation[edge]);
            sum = fma(weight, wavelet(u).x, sum);
        }
    }
    sums[local] = sum;
    workgroupBarrier();
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        if lane < half {
            sums[local] += sums[local + half];
        }
        workgroupBarrier();
    }
    if lane == 0u && o < params.outputs {
        y[to * params.outputs + o] = sums[local];
    }
}
