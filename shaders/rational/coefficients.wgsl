// The gradients to the coefficients of rational functions: with w_k = g |x|^k / Q, the sums over a group's elements of
// w_i sgn(x)^i to p_i, and of -y w_j times the sign of what its bars are around to q_j. A workgroup takes a group and a
// part of its elements: each thread sums some, then they meet in a tree.
#import shared/grid
#import rational/parts

const THREADS: u32 = 256u;
const TERMS: u32 = 4u;

@group(0) @binding(4) var<storage, read> g: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;

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
    let most = max(params.m, params.n + 1u);
    for (var e = first + local; e < last; e += THREADS) {
        let at = (e / params.per * params.groups + group) * params.per + e % params.per;
        let v = x[at];
        let parts = rational_parts(v, group);
        let start = g[at] * parts.power;
        let z = 1.0 / abs(v);
        // From the power that is known down to 0, then up.
        var power = start;
        for (var turn = 0u; turn < most; turn++) {
            var k = turn;
            if turn <= parts.at {
                k = parts.at - turn;
                power = select(power * z, start, turn == 0u);
            } else {
                power = select(power, start, turn == parts.at + 1u) * abs(v);
            }
            let signed = rational_signed(power, v, k);
            if k < params.m {
                sums[k] += signed;
            }
            if k > 0u && k <= params.n {
#if absolute
                let down = power * rational_sign(q[group * params.n + k - 1u]);
#else
                let down = signed * parts.sign;
#endif
                sums[params.m + k - 1u] -= parts.y * down;
            }
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
