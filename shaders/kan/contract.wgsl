// v[p] = sum_m g[p, m] phi_m(x[p]), any derivative: the gradient to the points of kan/values. A thread makes one sum.
#import shared/grid
#import kan/bases/any

const THREADS: u32 = 64u;

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> g: array<f32>;
@group(0) @binding(3) var<storage, read_write> v: array<f32>;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
    let point = linear_thread(wid, groups, local, THREADS);
    if point >= params.rows {
        return;
    }
    var sum = 0.0;
#if bspline
    // Only those that are not 0.
    let here = kan_local(x[point]);
    for (var r = 0u; r < KAN_TERMS; r++) {
        sum = fma(here.weights[r], g[point * params.bases + here.start + r], sum);
    }
#else
    var state = kan_begin(x[point], 0u);
    for (var m = 0u; m < params.bases; m++) {
        sum = fma(kan_next(&state), g[point * params.bases + m], sum);
    }
#endif
    v[point] = sum;
}
