// The row of each entry, looked up in indptr. Where indptr does not begin with 0, falls, or ends elsewhere than at the
// number of entries, that is counted, and rows stay inside.
#import shared/grid
#import sparse/params

#if unsigned
@group(0) @binding(1) var<storage, read> indptr: array<u32>;
#else
@group(0) @binding(1) var<storage, read> indptr: array<i32>;
#endif
@group(0) @binding(2) var<storage, read_write> rows: array<u32>;
@group(0) @binding(3) var<storage, read_write> status: array<atomic<u32>>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
    let at = linear_thread(wid, groups, local, 256u);
    if at == 0u && (u32(indptr[0]) != 0u || u32(indptr[params.rows]) != params.entries) {
        atomicAdd(&status[0], 1u);
    }
    if at < params.rows && u32(indptr[at + 1u]) < u32(indptr[at]) {
        atomicAdd(&status[0], 1u);
    }
    if at >= params.entries {
        return;
    }
    // The last row that begins at or before the entry.
    var low = 0u;
    var high = params.rows - 1u;
    while low < high {
        let middle = (low + high + 1u) / 2u;
        if u32(indptr[middle]) <= at {
            low = middle;
        } else {
            high = middle - 1u;
        }
    }
    rows[at] = low;
}
