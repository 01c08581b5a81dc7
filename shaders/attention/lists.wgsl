// The list of each owned tile, in order, from the kinds of pairs of tiles: a workgroup a list. Flag `by_key`: keys own.
// Places are fixed, so that nothing need be counted before: a count, and room for every tile of the other side.
#import attention/params
#import shared/grid

@group(0) @binding(1) var<storage, read> kinds: array<u32>;
@group(0) @binding(2) var<storage, read_write> lists: array<u32>;

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
