// Rational functions, or (flag `slope`) their slopes times a cotangent: a thread an element.
#import shared/grid
#import rational/parts

@group(0) @binding(4) var<storage, read_write> y: array<f32>;
#if slope
@group(0) @binding(5) var<storage, read> g: array<f32>;
#endif

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
    let at = linear_thread(wid, groups, local, 256u);
    if at >= params.elements {
        return;
    }
    let parts = rational_parts(x[at], at / params.per % params.groups);
#if slope
    y[at] = g[at] * parts.slope;
#else
    y[at] = parts.y;
#endif
}
