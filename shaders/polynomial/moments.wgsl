// Sums over the elements of each group of u times the powers of r, or a derivative of the powers; r = x or (flag `relu`)
// max(x, 0). A workgroup takes a group and a part of its elements: each thread sums some, then they meet in a tree.
#import shared/grid

const THREADS: u32 = 256u;
const TERMS: u32 = 4u;

struct Params {
    groups: u32,
    // channels of a group, and its elements
    per: u32,
    elements: u32,
    // parts a group, and elements a part
    parts: u32,
    span: u32,
    derivative: u32,
    pad0: u32,
    pad1: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> u: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

var<workgroup> partial: array<f32, THREADS>;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
    let id = linear_group(wid, groups);
    if id >= params.groups * params.parts {
        return;
    }
    let group = id % params.groups;
    let first = id / params.groups * params.span;
    let last = min(first + params.span, params.elements);
    var sums: array<f32, TERMS>;
    for (var j = 0u; j < TERMS; j++) {
        sums[j] = 0.0;
    }
    for (var e = first + local; e < last; e += THREADS) {
        let at = (e / params.per * params.groups + group) * params.per + e % params.per;
        var r = x[at];
        var power = u[at];
#if relu
        let off = r <= 0.0;
        r = select(r, 0.0, off);
        power = select(power, 0.0, off && params.derivative > 0u);
#endif
        for (var j = params.derivative; j < TERMS; j++) {
            var factor = power;
            for (var d = 0u; d < params.derivative; d++) {
                factor *= f32(j - d);
            }
            sums[j] += factor;
            power *= r;
        }
    }
    for (var j = 0u; j < TERMS; j++) {
        partial[local] = sums[j];
        workgroupBarrier();
        for (var step = THREADS / 2u; step > 0u; step = step / 2u) {
            if local < step {
                partial[local] += partial[local + step];
            }
            workgroupBarrier();
        }
        if local == 0u {
            y[id * TERMS + j] = partial[0];
        }
        workgroupBarrier();
    }
}
