// Counts [digit, block] become the places where each begins: the sums of all counts before them. One workgroup.
#import shared/grid
#import sort/digits

@group(0) @binding(1) var<storage, read_write> counts: array<u32>;

var<workgroup> totals: array<u32, DIGITS>;

@compute @workgroup_size(DIGITS)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
    if linear_group(wid, groups) > 0u {
        return;
    }
    let first = local * blocks();
    var total = 0u;
    for (var b = 0u; b < blocks(); b++) {
        total += counts[first + b];
    }
    totals[local] = total;
    workgroupBarrier();
    var place = 0u;
    for (var d = 0u; d < local; d++) {
        place += totals[d];
    }
    for (var b = 0u; b < blocks(); b++) {
        let here = counts[first + b];
        counts[first + b] = place;
        place += here;
    }
}
