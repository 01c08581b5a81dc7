// A page table as u32. An entry outside 0..pages is clamped and counted.
#import shared/grid

struct Params {
    count: u32,
    pages: u32,
    pad0: u32,
    pad1: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
#if unsigned
@group(0) @binding(1) var<storage, read> table: array<u32>;
#else
@group(0) @binding(1) var<storage, read> table: array<i32>;
#endif
@group(0) @binding(2) var<storage, read_write> y: array<u32>;
@group(0) @binding(3) var<storage, read_write> status: array<atomic<u32>>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
    let at = linear_thread(wid, groups, local, 256u);
    if at >= params.count {
        return;
    }
    // A negative entry is a large one.
    let page = u32(table[at]);
    if page >= params.pages {
        atomicAdd(&status[0], 1u);
    }
    y[at] = min(page, params.pages - 1u);
}
