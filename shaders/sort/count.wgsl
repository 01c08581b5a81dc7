// How often each digit occurs in each block: counts[digit, block].
#import shared/grid
#import sort/digits

@group(0) @binding(1) var<storage, read> keys: array<u32>;
@group(0) @binding(2) var<storage, read_write> counts: array<u32>;

var<workgroup> held: array<atomic<u32>, DIGITS>;

@compute @workgroup_size(DIGITS)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
    let block = linear_group(wid, groups);
    if block >= blocks() {
        return;
    }
    atomicStore(&held[local], 0u);
    workgroupBarrier();
    let last = min((block + 1u) * BLOCK, params.count);
    for (var k = block * BLOCK + local; k < last; k += DIGITS) {
        atomicAdd(&held[digit_of(keys[k])], 1u);
    }
    workgroupBarrier();
    counts[local * blocks() + block] = atomicLoad(&held[local]);
}
