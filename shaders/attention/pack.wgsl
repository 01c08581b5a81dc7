// One of the integer tables of a mask, copied behind the others.
#import shared/grid

struct Params {
    count: u32,
    offset: u32,
    pad0: u32,
    pad1: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> table: array<i32>;
@group(0) @binding(2) var<storage, read_write> packed: array<i32>;

const THREADS: u32 = 256u;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
    let i = linear_thread(wid, groups, local, THREADS);
    if i < params.count {
        packed[params.offset + i] = table[i];
    }
}
