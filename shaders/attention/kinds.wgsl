// What a mask leaves of each pair of tiles of 32 queries and 32 keys, a workgroup a pair: 0 where nothing takes part, 2 where
// everything does, else 1. Looked up in all pairs of a query and a key, once for all heads and batches that share a mask.
#import attention/mask
#import shared/grid

@group(0) @binding(1) var<storage, read_write> kinds: array<u32>;

const TILE: u32 = 32u;
const THREADS: u32 = 64u;

// 1: some pair takes part; 2: some pair does not.
var<workgroup> found: atomic<u32>;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
    let group = linear_group(wid, groups);
    let count = params.tiles.x * params.tiles.y * params.tiles.z * params.tiles.w;
    if group >= count {
        return;
    }
    let first_key = group % params.tiles.y * TILE;
    let first_row = group / params.tiles.y % params.tiles.x * TILE;
    let plane = group / (params.tiles.x * params.tiles.y);
    let head = plane % params.tiles.w;
    let batch = plane / params.tiles.w;
    if local == 0u {
        atomicStore(&found, 0u);
    }
    workgroupBarrier();
    var mine = 0u;
    for (var i = local; i < TILE * TILE; i += THREADS) {
        let row = first_row + i / TILE;
        let key = first_key + i % TILE;
        let at = Place(batch, head, row, 0u, 0u);
        mine |= select(2u, 1u, row < params.queries && key < params.keys && is_allowed(at, key));
    }
    atomicOr(&found, mine);
    workgroupBarrier();
    if local == 0u {
        let all = atomicLoad(&found);
        kinds[group] = select(select(0u, 2u, all == 1u), 1u, all == 3u);
    }
}
