// The gradient to the queries, a workgroup a tile of them (and up to 128 columns): the sum of the keys, each times the cotangent of
// their product. Flag `given`: the rows' numbers come from a kernel of the same operation.
// Flags `two` and `four`: so many times 32 columns.
#import attention/tiles_backward
#import attention/tile_weights

// Fused steps may take the place of this function, with what it binds.
#if !epilogue
@group(0) @binding(6) var<storage, read_write> dq: array<f32>;

fn emit(at: u32, value: f32) {
    dq[at] = value;
}
#endif

fn add_keys(here: Meeting, local: u32, part: u32, sums: ptr<function, array<vec4<f32>, EACH>>) {
    stage_k(here, local, part);
    workgroupBarrier();
    add_weighted(local, here.whole, sums);
    workgroupBarrier();
}

fn store(here: Meeting, local: u32, part: u32, sums: ptr<function, array<vec4<f32>, EACH>>) {
    for (var i = 0u; i < EACH; i++) {
        let row = here.first_row + local / SIDE * EACH + i;
        if row >= params.queries {
            continue;
        }
        let index = place_in(here, row).query;
        for (var c = 0u; c < 4u; c++) {
            let column = 4u * (part * DEPTH + local % SIDE) + c;
            if column < params.size {
                emit(index * params.size + column, (*sums)[i][c]);
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
    var here = owned_queries(group / params.columns);
    let list = list_of(here.batch, here.head, here.first_row / TILE);
    let first = here.first_row + local / SIDE * EACH;
    var four = four_rows(here, local);
    var sums0: array<vec4<f32>, EACH>;
#if two
    var sums1: array<vec4<f32>, EACH>;
#endif
#if four
    var sums1: array<vec4<f32>, EACH>;
    var sums2: array<vec4<f32>, EACH>;
    var sums3: array<vec4<f32>, EACH>;
#endif
    for (var n = 0u; n < length_of(list); n++) {
        let entry = entry_of(list, n);
        here.first_key = entry / 2u * TILE;
        here.whole = is_whole(entry, here.first_row, here.first_key);
        let products = query_key_products(here, local);
        let cotangents = cotangent_value_products(here, local);
        for (var j = 0u; j < EACH; j++) {
            let key = here.first_key + local % SIDE + j * SIDE;
            var bits = vec4<u32>(NONE);
            for (var i = 0u; i < EACH; i++) {
                if takes_part(here, first + i, key) {
                    bits[i] = product_bits(place_in(here, first + i), key, products[j][i], cotangents[j][i], four[i]);
                }
            }
            set_weights(local, j, bits);
        }
        add_keys(here, local, first_part, &sums0);
#if two
        add_keys(here, local, first_part + 1u, &sums1);
#endif
#if four
        add_keys(here, local, first_part + 1u, &sums1);
        add_keys(here, local, first_part + 2u, &sums2);
        add_keys(here, local, first_part + 3u, &sums3);
#endif
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
