// Attention by softmax in one pass over the keys: a workgroup owns a tile of queries and up to 128 columns of the values. What is
// summed so far is scaled down whenever a larger score comes.
// Flags `two` and `four`: so many times 32 columns.
#import attention/tiles
#import attention/tile_weights
#import attention/larger

// Fused steps may take the place of this function, with what it binds.
#if !epilogue
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

fn emit(at: u32, value: f32) {
    y[at] = value;
}
#endif
@group(0) @binding(5) var<storage, read_write> rows: array<vec4<f32>>;

const LOWEST: f32 = -3.4028234e38;

var<workgroup> shared_four: array<vec4<f32>, THREADS>;
var<workgroup> shared_seen: array<vec4<u32>, THREADS>;

fn exp_four(x: vec4<f32>) -> vec4<f32> {
    return vec4<f32>(kw_exp(x.x), kw_exp(x.y), kw_exp(x.z), kw_exp(x.w));
}

fn add_values(here: Meeting, local: u32, part: u32, sums: ptr<function, array<vec4<f32>, EACH>>) {
    stage_v(here, local, part);
    workgroupBarrier();
    add_weighted(local, here.whole, sums);
    workgroupBarrier();
}

fn scale(sums: ptr<function, array<vec4<f32>, EACH>>, by: vec4<f32>) {
    for (var i = 0u; i < EACH; i++) {
        (*sums)[i] *= by[i];
    }
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
            if column < params.value_size {
                emit(index * params.value_size + column, (*sums)[i][c]);
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
    let down = local / SIDE;
    var here = owned_queries(group / params.columns);
    let list = list_of(here.batch, here.head, here.first_row / TILE);

    var most = vec4<f32>(LOWEST);
    var total = vec4<f32>(0.0);
    var seen = vec4<u32>(0u);
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
        var scores: array<vec4<f32>, EACH>;
        var hidden: array<vec4<bool>, EACH>;
        var top = most;
        for (var j = 0u; j < EACH; j++) {
            let key = here.first_key + local % SIDE + j * SIDE;
            for (var i = 0u; i < EACH; i++) {
                let row = here.first_row + down * EACH + i;
                if takes_part(here, row, key) {
                    scores[j][i] = score_from(place_in(here, row), key, products[j][i]).value;
                    seen[i] = 1u;
                } else {
                    scores[j][i] = LOWEST;
                    hidden[j][i] = true;
                }
            }
            top = larger_four(top, scores[j]);
        }
        shared_four[local] = top;
        workgroupBarrier();
        for (var i = 0u; i < SIDE; i++) {
            top = larger_four(top, shared_four[down * SIDE + i]);
        }
        let factor = exp_four(most - top);
        most = top;
        total *= factor;
        for (var j = 0u; j < EACH; j++) {
            let p = exp_four(scores[j] - top);
            total += select(p, vec4<f32>(0.0), hidden[j]);
            var bits = bitcast<vec4<u32>>(p);
            if !here.whole {
                for (var i = 0u; i < EACH; i++) {
                    bits[i] = select(plain_bits(p[i]), NONE, hidden[j][i]);
                }
            }
            set_weights(local, j, bits);
        }
        scale(&sums0, factor);
        add_values(here, local, first_part, &sums0);
#if two
        scale(&sums1, factor);
        add_values(here, local, first_part + 1u, &sums1);
#endif
#if four
        scale(&sums1, factor);
        add_values(here, local, first_part + 1u, &sums1);
        scale(&sums2, factor);
        add_values(here, local, first_part + 2u, &sums2);
        scale(&sums3, factor);
        add_values(here, local, first_part + 3u, &sums3);
#endif
    }

    shared_four[local] = total;
    shared_seen[local] = seen;
    workgroupBarrier();
    total = vec4<f32>(0.0);
    seen = vec4<u32>(0u);
    for (var i = 0u; i < SIDE; i++) {
        total += shared_four[down * SIDE + i];
        seen |= shared_seen[down * SIDE + i];
    }
    let any = seen == vec4<u32>(1u);
    // Where all scores are -inf nothing was summed.
    total = select(total, vec4<f32>(kw_nan()), any & (total == vec4<f32>(0.0)));
    let by = select(vec4<f32>(0.0), 1.0 / total, any);
    if first_part == 0u && local % SIDE == 0u {
        for (var i = 0u; i < EACH; i++) {
            let row = here.first_row + down * EACH + i;
            if row < params.queries {
                let found = Row(most[i], total[i], 0.0, 0.0);
                rows[place_in(here, row).query] = select(Row(0.0), found, any[i]);
            }
        }
    }
    scale(&sums0, by);
    store(here, local, first_part, &sums0);
#if two
    scale(&sums1, by);
    store(here, local, first_part + 1u, &sums1);
#endif
#if four
    scale(&sums1, by);
    store(here, local, first_part + 1u, &sums1);
    scale(&sums2, by);
    store(here, local, first_part + 2u, &sums2);
    scale(&sums3, by);
    store(here, local, first_part + 3u, &sums3);
#endif
}
