// Indices as keys to sort, with their positions: each `n` of them name rows of a table of their own, and the tables lie one
// after the other. An index outside 0..rows is clamped and counted.
#import shared/grid

struct Params {
    count: u32,
    rows: u32,
    columns: u32,
    n: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
#if unsigned
@group(0) @binding(1) var<storage, read> index: array<u32>;
#else
@group(0) @binding(1) var<storage, read> index: array<i32>;
#endif
@group(0) @binding(2) var<storage, read_write> keys: array<u32>;
@group(0) @binding(3) var<storage, read_write> positions: array<u32>;
@group(0) @binding(4) var<storage, read_write> status: array<atomic<u32>>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
    let at = linear_thread(wid, groups, local, 256u);
    if at >= params.count {
        return;
    }
    // A negative index is a large one.
    var row = u32(index[at]);
    if row >= params.rows {
        row = params.rows - 1u;
        atomicAdd(&status[0], 1u);
    }
    keys[at] = at / params.n * params.rows + row;
    positions[at] = at;
}
