// The list of each owned tile, in order, from the kinds of pairs of tiles: a workgroup a list. Flag `by_key`: keys own.
// Places are fixed, so that nothing need be counted before: a count, and room for every tile of the other side.
// Flag `skips`: without the tiles that the rows say hold no weight, unless their values or cotangents are no numbers; then batches
// and heads have lists of their own. Flag `given`: the rows come from a kernel of the same operation.
#import attention/empty_tiles
#import shared/grid

@group(0) @binding(1) var<storage, read> kinds: array<u32>;
@group(0) @binding(2) var<storage, read_write> lists: array<u32>;

#if skips
#if given
@group(0) @binding(3) var<storage, read_write> rows: array<vec4<f32>>;
#else
@group(0) @binding(3) var<storage, read> rows: array<vec4<f32>>;
#endif
@group(0) @binding(4) var<storage, read> loud: array<u32>;

// Whether nothing of a tile of keys reaches a tile of queries, or back.
fn is_skipped(plane: u32, query_tile: u32, key_tile: u32) -> bool {
    let batch = plane / params.heads;
    let kv_head = plane % params.heads / (params.heads / params.kv_heads);
    let values = batch * params.kv_heads + kv_head;
    if loud[values * params.tiles.y + key_tile] != 0u {
        return false;
    }
#if cotangents
    let planes = params.tiles.z * params.kv_heads;
    if loud[planes * params.tiles.y + plane * params.tiles.x + query_tile] != 0u {
        return false;
    }
#endif
    let bit = key_tile / tiles_a_bit(query_tile * 32u);
    let row = plane * params.queries + query_tile * 32u + bit / EMPTY_BITS;
    return ((u32(rows[row].z) >> (bit % EMPTY_BITS)) & 1u) == 1u;
}
#endif

const THREADS: u32 = 64u;

var<workgroup> taken: array<u32, THREADS>;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
    let group = linear_group(wid, groups);
#if by_key
    let owners = params.tiles.y;
    let others = params.tiles.x;
#else
    let owners = params.tiles.x;
    let others = params.tiles.y;
#endif
    if group >= owners * params.tiles.z * params.tiles.w {
        return;
    }
    let owned = group % owners;
    let first = group / owners * owners * others;
    let list = group * (others + 1u);
    var count = 0u;
    for (var block = 0u; block < others; block += THREADS) {
        let other = block + local;
        var kind = 0u;
        if other < others {
#if by_key
            kind = kinds[first + other * owners + owned];
#else
            kind = kinds[first + owned * others + other];
#endif
        }
#if skips
        if kind != 0u {
#if by_key
            let skipped = is_skipped(group / owners, other, owned);
#else
            let skipped = is_skipped(group / owners, owned, other);
#endif
            kind = select(kind, 0u, skipped);
        }
#endif
        taken[local] = min(kind, 1u);
        workgroupBarrier();
        var before = 0u;
        var all = 0u;
        for (var i = 0u; i < THREADS; i++) {
            before += select(0u, taken[i], i < local);
            all += taken[i];
        }
        if kind != 0u {
            lists[list + 1u + count + before] = 2u * other + kind - 1u;
        }
        count += all;
        workgroupBarrier();
    }
    if local == 0u {
        lists[list] = count;
    }
}
