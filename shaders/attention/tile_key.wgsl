// The gradient to the values (flag `values`) or to the keys, a workgroup a tile of keys (and up to 128 columns): over the queries of
// all heads that share them, the cotangents of the output times the weights, or the queries times the cotangents of their products.
// Flags `two` and `four`: so many times 32 columns. Keys own: flag `by_key`.
#import attention/tiles_backward
#import attention/tile_weights

// Fused steps may take the place of this function, with what it binds.
#if !epilogue
@group(0) @binding(6) var<storage, read_write> out: array<f32>;

fn emit(at: u32, value: f32) {
    out[at] = value;
}
#endif

fn result_size() -> u32 {
#if values
    return params.value_size;
#else
    return params.size;
#endif
}

fn add_queries(here: Meeting, local: u32, part: u32, sums: ptr<function, array<vec4<f32>, EACH>>) {
#if values
    stage_g(here, local, part);
#else
    stage_q(here, local, part);
#endif
    workgroupBarrier();
    add_weighted(local, here.whole, sums);
    workgroupBarrier();
}

fn store(here: Meeting, local: u32, part: u32, sums: ptr<function, array<vec4<f32>, EACH>>) {
    for (var i = 0u; i < EACH; i++) {
        let key = here.first_key + local / SIDE * EACH + i;
        if key >= params.keys {
            continue;
        }
        let index = (here.batch * params.kv_heads + here.kv_head) * params.keys + key;
        for (var c = 0u; c < 4u; c++) {
            let column = 4u * (part * DEPTH + local % SIDE) + c;
            if column < result_size() {
                emit(index * result_size() + column, (*sums)[i][c]);
            }
        }
    }
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
    let group = linear_group(wid, groups);
    if group >= params.count {
        return;
    }
    let first_part = group % params.columns * 4u;
    let tile = group / params.columns % params.tiles.y;
    let plane = group / params.columns / params.tiles.y;
    let kv_head = plane % params.kv_heads;
    let batch = plane / params.kv_heads;
    let sharing = params.heads / params.kv_heads;
    let first = tile * TILE + local / SIDE * EACH;
    var here = Meeting(batch, kv_head * sharing, kv_head, 0u, tile * TILE, false);
    var sums0: array<vec4<f32>, EACH>;
#if two
    var sums1: array<vec4<f32>, EACH>;
#endif
#if four
    var sums1: array<vec4<f32>, EACH>;
    var sums2: array<vec4<f32>, EACH>;
    var sums3: array<vec4<f32>, EACH>;
#endif
    for (var s = 0u; s < sharing; s++) {
        here.head = kv_head * sharing + s;
        let list = list_of(batch, here.head, tile);
        for (var n = 0u; n < length_of(list); n++) {
            let entry = entry_of(list, n);
            here.first_row = entry / 2u * TILE;
            here.whole = is_whole(entry, here.first_row, here.first_key);
            let products = query_key_products(here, local);
#if !values
            let cotangents = cotangent_value_products(here, local);
#endif
            for (var j = 0u; j < EACH; j++) {
                let row = here.first_row + local % SIDE + j * SIDE;
                var bits = vec4<u32>(NONE);
                if row < params.queries {
                    let at = place_in(here, row);
                    let numbers = rows[at.query];
                    for (var i = 0u; i < EACH; i++) {
                        if takes_part(here, row, first + i) {
#if values
                            bits[i] = weight_bits(at, first + i, products[j][i], numbers);
#else
                            bits[i] = product_bits(at, first + i, products[j][i], cotangents[j][i], numbers);
#endif
                        }
                    }
                }
                set_weights(local, j, bits);
            }
            add_queries(here, local, first_part, &sums0);
#if two
            add_queries(here, local, first_part + 1u, &sums1);
#endif
#if four
            add_queries(here, local, first_part + 1u, &sums1);
            add_queries(here, local, first_part + 2u, &sums2);
            add_queries(here, local, first_part + 3u, &sums3);
#endif
        }
    }
    store(here, local, first_part, &sums0);
#if two
    store(here, local, first_part + 1u, &sums1);
#endif
#if four
    store(here, local, first_part + 1u, &sums1);
    store(here, local, first_part + 2u, &sums2);
    store(here, local, first_part + 3u, &sums3);
#endif
}
