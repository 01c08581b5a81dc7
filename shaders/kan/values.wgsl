// phi[p, m]: every function of a basis at every point, any derivative. A thread lists `span` functions of a point.
#import shared/grid
#import kan/bases/any

const THREADS: u32 = 64u;

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> phi: array<f32>;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
    let thread = linear_thread(wid, groups, local, THREADS);
    if thread >= params.rows * params.parts {
        return;
    }
    let point = thread / params.parts;
    let first = (thread % params.parts) * params.span;
    var state = kan_begin(x[point], first);
    for (var m = first; m < min(first + params.span, params.bases); m++) {
        phi[point * params.bases + m] = kan_next(&state);
    }
}
