// Polynomials with coefficients of their own for each group of channels, by Horner's rule, or a derivative of them:
// y = u p^(d)(r), r = x or (flag `relu`) max(x, 0). Derivatives behind a relu are 0 where x <= 0.
#import shared/grid

struct Params {
    count: u32,
    groups: u32,
    // channels of a group
    per: u32,
    terms: u32,
    derivative: u32,
    pad0: u32,
    pad1: u32,
    pad2: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> w: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
#if scale
@group(0) @binding(4) var<storage, read> u: array<f32>;
#endif

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
    let at = linear_thread(wid, groups, local, 256u);
    if at >= params.count {
        return;
    }
    var r = x[at];
    let base = at / params.per % params.groups * params.terms;
#if relu
    let off = r <= 0.0;
    r = select(r, 0.0, off);
#endif
    var sum = 0.0;
    for (var k = params.terms; k > params.derivative; k--) {
        var factor = w[base + k - 1u];
        for (var d = 0u; d < params.derivative; d++) {
            factor *= f32(k - 1u - d);
        }
        sum = sum * r + factor;
    }
#if scale
    sum *= u[at];
#endif
#if relu
    sum = select(sum, 0.0, off && params.derivative > 0u);
#endif
    y[at] = sum;
}
