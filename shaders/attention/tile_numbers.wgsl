// Which tiles hold an infinity or a NaN, a workgroup a tile: first the tiles of values, of all heads and batches, then (flag
// `cotangents`) those of the cotangents. A weight of 0 does not hide these, so that lists leave no such tile out.
#import attention/elements
#import shared/grid
#import shared/bits

#if cotangents
@group(0) @binding(4) var<storage, read> g: array<f32>;
@group(0) @binding(5) var<storage, read_write> loud: array<u32>;
#else
@group(0) @binding(4) var<storage, read_write> loud: array<u32>;
#endif

const TILE: u32 = 32u;
const THREADS: u32 = 64u;

var<workgroup> found: atomic<u32>;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
    let group = linear_group(wid, groups);
    if group >= params.count {
        return;
    }
    if local == 0u {
        atomicStore(&found, 0u);
    }
    workgroupBarrier();
    let of_values = params.rows / (params.heads * params.queries) * params.kv_heads * params.tiles.y;
    for (var i = local; i < TILE * params.value_size; i += THREADS) {
        let column = i % params.value_size;
        var x = 0.0;
        if group < of_values {
            let plane = group / params.tiles.y;
            let key = min(group % params.tiles.y * TILE + i / params.value_size, params.keys - 1u);
            x = v[v_at(start_of(params.v_steps, plane / params.kv_heads, plane % params.kv_heads, key), column)];
        }
#if cotangents
        if group >= of_values {
            let tile = group - of_values;
            let plane = tile / params.tiles.x;
            let row = min(tile % params.tiles.x * TILE + i / params.value_size, params.queries - 1u);
            x = g[g_at(start_of(params.g_steps, plane / params.heads, plane % params.heads, row), column)];
        }
#endif
        if !kw_is_finite(x) {
            atomicOr(&found, 1u);
        }
    }
    workgroupBarrier();
    if local == 0u {
        loud[group] = atomicLoad(&found);
    }
}
