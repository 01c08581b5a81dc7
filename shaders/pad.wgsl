// Zeros before and after x along one dimension. Elements are moved as words, whatever their type.
#import shared/grid

struct Params {
    count: u32,
    // elements within one index of the padded dimension
    inner: u32,
    // the dimension's size, the zeros before it, and its size with all zeros
    size: u32,
    before: u32,
    total: u32,
    pad0: u32,
    pad1: u32,
    pad2: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<u32>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
    let at = linear_thread(wid, groups, local, 256u);
    if at >= params.count {
        return;
    }
    let inner = at % params.inner;
    let index = at / params.inner % params.total;
    let outer = at / params.inner / params.total;
    var value = 0u;
    if index >= params.before && index < params.before + params.size {
        value = x[(outer * params.size + index - params.before) * params.inner + inner];
    }
    y[at] = value;
}
