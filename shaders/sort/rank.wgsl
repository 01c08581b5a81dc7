// Short rows of x [rows, n] sorted without workgroup memory: a thread an element counts the elements that come before it,
// and puts it there. The best `kept` of each row stay.
#import shared/grid
#import sort/order

struct Params {
    rows: u32,
    n: u32,
    kept: u32,
    pad: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read_write> values: array<u32>;
@group(0) @binding(3) var<storage, read_write> indices: array<u32>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
    let at = linear_thread(wid, groups, local, 256u);
    if at >= params.rows * params.n {
        return;
    }
    let row = at / params.n;
    let first = row * params.n;
    let position = at - first;
    let key = key_of(x[at]);
    var before = 0u;
    for (var k = 0u; k < params.n; k++) {
        let other = key_of(x[first + k]);
        if other < key || (other == key && k < position) {
            before++;
        }
    }
    if before < params.kept {
        values[row * params.kept + before] = x[at];
        indices[row * params.kept + before] = position;
    }
}
