// Elements of rows of x [rows, length] by index [rows, n], moved as words, whatever their type. An index outside 0..length
// is clamped and counted.
#import shared/grid

struct Params {
    count: u32,
    length: u32,
    n: u32,
    pad: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<u32>;
#if unsigned
@group(0) @binding(2) var<storage, read> index: array<u32>;
#else
@group(0) @binding(2) var<storage, read> index: array<i32>;
#endif
@group(0) @binding(3) var<storage, read_write> y: array<u32>;
@group(0) @binding(4) var<storage, read_write> status: array<atomic<u32>>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
    let at = linear_thread(wid, groups, local, 256u);
    if at >= params.count {
        return;
    }
    // A negative index is a large one.
    var k = u32(index[at]);
    if k >= params.length {
        k = params.length - 1u;
        atomicAdd(&status[0], 1u);
    }
    y[at] = x[at / params.n * params.length + k];
}
