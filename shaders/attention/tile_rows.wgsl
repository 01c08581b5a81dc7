// The rows' numbers for the backward pass, a workgroup a tile of queries: with the mean of the cotangents of a row's weights, each
// counted by how its weight follows its score.
#import attention/tiles_backward

@group(0) @binding(6) var<storage, read_write> full_rows: array<vec4<f32>>;

var<workgroup> shared_sums: array<vec4<f32>, THREADS>;

fn sum_across(local: u32, mine: vec4<f32>) -> vec4<f32> {
    shared_sums[local] = mine;
    workgroupBarrier();
    var sum = vec4<f32>(0.0);
    for (var i = 0u; i < SIDE; i++) {
        sum += shared_sums[local / SIDE * SIDE + i];
    }
    workgroupBarrier();
    return sum;
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
    let group = linear_group(wid, groups);
    if group >= params.count {
        return;
    }
    var here = owned_queries(group);
    let list = list_of(here.batch, here.head, here.first_row / TILE);
    let first = here.first_row + local / SIDE * EACH;
    var four = four_rows(here, local);
    var total = vec4<f32>(0.0);
    var slopes = vec4<f32>(0.0);
    for (var n = 0u; n < length_of(list); n++) {
        let entry = entry_of(list, n);
        here.first_key = entry / 2u * TILE;
        here.whole = is_whole(entry, here.first_row, here.first_key);
        let products = query_key_products(here, local);
        let cotangents = cotangent_value_products(here, local);
        for (var j = 0u; j < EACH; j++) {
            let key = here.first_key + local % SIDE + j * SIDE;
            for (var i = 0u; i < EACH; i++) {
                if !takes_part(here, first + i, key) {
                    continue;
                }
                let score = score_from(place_in(here, first + i), key, products[j][i]).value;
                if is_kept(score, four[i]) {
                    let slope = weight_of(score, four[i]).slope;
                    slopes[i] += slope;
                    total[i] += slope * cotangents[j][i];
                }
            }
        }
    }
    total = sum_across(local, total);
    slopes = sum_across(local, slopes);
    let mean = select(total / slopes, vec4<f32>(0.0), slopes == vec4<f32>(0.0));
    if local % SIDE == 0u {
        for (var i = 0u; i < EACH; i++) {
            if first + i < params.queries {
                full_rows[place_in(here, first + i).query] = vec4<f32>(four[i].xyz, mean[i]);
            }
        }
    }
}
