// Of sorted indices, the sums over chunks of CHUNK that all name one row: totals[c, d]. Others are left as they are, and
// never read.
#import shared/grid
#import scatter_add_rows/sorted

@group(0) @binding(4) var<storage, read_write> totals: array<f32>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
    let at = linear_thread(wid, groups, local, 256u);
    let first = at / params.columns * CHUNK;
    if first >= params.count {
        return;
    }
    let last = min(first + CHUNK, params.count);
    if keys[first] == keys[last - 1u] {
        totals[at] = sum_of(first, last, at % params.columns);
    }
}
