// What a mask leaves of each pair of tiles of 32 queries and 32 keys, a thread a pair: 0 where nothing takes part, 2 where everything
// does, else 1. Once for all heads and batches that share a mask. Mostly the ranges of the mask's numbers over the tiles say it (a
// kernel of the host's making adds `allowed_range`, flag `masked`); where they do not, the workgroup looks at every query and key.
#import attention/ranges
#import shared/grid

@group(0) @binding(1) var<storage, read_write> kinds: array<u32>;

const TILE: u32 = 32u;
const THREADS: u32 = 64u;
const UNKNOWN: u32 = 3u;

var<workgroup> unknown: array<u32, THREADS>;
// 1: some query and key take part; 2: some do not.
var<workgroup> found: atomic<u32>;

// The first query and the first key of a pair of tiles, its head and its batch.
fn corner(pair: u32) -> vec4<u32> {
    let plane = pair / (params.tiles.x * params.tiles.y);
    return vec4<u32>(pair / params.tiles.y % params.tiles.x * TILE, pair % params.tiles.y * TILE,
                     plane % params.tiles.w, plane / params.tiles.w);
}

fn kind_by_range(pair: u32) -> u32 {
    let at = corner(pair);
    let last_row = min(at.x + TILE, params.queries) - 1u;
    let last_key = min(at.y + TILE, params.keys) - 1u;
    let range =
#if masked
        allowed_range(vec2<i32>(position_of(at.x), position_of(last_row)), vec2<i32>(i32(at.y), i32(last_key)),
                      vec2<i32>(i32(at.x), i32(last_row)), i32(at.z), i32(at.w));
#else
        exactly(1);
#endif
    if range.y == 0 {
        return 0u;
    }
    if range.x == 0 {
        return UNKNOWN;
    }
    return select(1u, 2u, at.x + TILE <= params.queries && at.y + TILE <= params.keys);
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
    let first = linear_group(wid, groups) * THREADS;
    let count = params.tiles.x * params.tiles.y * params.tiles.z * params.tiles.w;
    if first >= count {
        return;
    }
    var kind = 0u;
    if first + local < count {
        kind = kind_by_range(first + local);
    }
    unknown[local] = select(0u, 1u, kind == UNKNOWN);
    for (var one = 0u; one < THREADS; one++) {
        if workgroupUniformLoad(&unknown[one]) == 0u {
            continue;
        }
        if local == 0u {
            atomicStore(&found, 0u);
        }
        workgroupBarrier();
        let at = corner(first + one);
        var mine = 0u;
        for (var i = local; i < TILE * TILE; i += THREADS) {
            let row = at.x + i / TILE;
            let key = at.y + i % TILE;
            let place = Place(at.w, at.z, row, 0u, 0u);
            mine |= select(2u, 1u, row < params.queries && key < params.keys && is_allowed(place, key));
        }
        atomicOr(&found, mine);
        workgroupBarrier();
        if local == one {
            let all = atomicLoad(&found);
            kind = select(select(0u, 2u, all == 1u), 1u, all == 3u);
        }
    }
    if first + local < count {
        kinds[first + local] = kind;
    }
}
