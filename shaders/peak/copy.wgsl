// b = a, four numbers at a time: what the bandwidth of a device is measured with.
#import shared/grid

struct Params {
    // Groups of four numbers.
    count: u32,
    pad0: u32,
    pad1: u32,
    pad2: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> b: array<vec4<f32>>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    // Four a thread, side by side across the workgroup.
    let first = linear_group(wid, groups) * 1024u + local;
    for (var k = 0u; k < 4u; k++) {
        let i = first + k * 256u;
        if i < params.count {
            b[i] = a[i];
        }
    }
}
