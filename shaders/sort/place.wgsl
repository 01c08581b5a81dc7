// Keys and positions put where their digits belong. Each thread takes the keys of one digit, in their order, so the sort is
// stable.
#import shared/grid
#import sort/digits

@group(0) @binding(1) var<storage, read> keys: array<u32>;
@group(0) @binding(2) var<storage, read> positions: array<u32>;
@group(0) @binding(3) var<storage, read> places: array<u32>;
@group(0) @binding(4) var<storage, read_write> sorted_keys: array<u32>;
@group(0) @binding(5) var<storage, read_write> sorted_positions: array<u32>;

var<workgroup> held: array<u32, BLOCK>;

@compute @workgroup_size(DIGITS)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
    let block = linear_group(wid, groups);
    if block >= blocks() {
        return;
    }
    let first = block * BLOCK;
    let here = min(BLOCK, params.count - first);
    for (var k = local; k < here; k += DIGITS) {
        held[k] = keys[first + k];
    }
    workgroupBarrier();
    var place = places[local * blocks() + block];
    for (var k = 0u; k < here; k++) {
        let key = held[k];
        if digit_of(key) == local {
            sorted_keys[place] = key;
            sorted_positions[place] = positions[first + k];
            place++;
        }
    }
}
