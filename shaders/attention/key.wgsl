// The gradient to the values (flag `values`) or to the keys, a workgroup a key: over the queries of all heads that share it,
// the cotangents of the output times the weights, or the queries times the cotangents of their products.
#import attention/backward
#import attention/trees

// Fused steps may take the place of this function, with what it binds.
#if !epilogue
@group(0) @binding(6) var<storage, read_write> out: array<f32>;

fn emit(at: u32, value: f32) {
    out[at] = value;
}
#endif

var<workgroup> weights: array<u32, THREADS>;

// The columns of the result, and an element of what it is a sum of.
fn result_size() -> u32 {
#if values
    return params.value_size;
#else
    return params.size;
#endif
}

fn element_start(at: Place) -> u32 {
#if values
    return cotangent_start(at);
#else
    return query_start(at);
#endif
}

fn element(start: u32, column: u32) -> f32 {
#if values
    return g[g_at(start, column)];
#else
    return q[q_at(start, column)];
#endif
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
    let index = linear_group(wid, groups);
    if index >= params.count {
        return;
    }
    let key = index % params.keys;
    // The queries that share a key lie side by side.
    let queries = params.heads / params.kv_heads * params.queries;
    let first_query = index / params.keys * queries;
    let width = params.columns;
    let lane = local % width;
    let size = result_size();
    for (var block = 0u; block < size; block += 4u * width) {
        var sum = vec4<f32>(0.0);
        for (var first = 0u; first < queries; first += THREADS) {
            var weight = NONE;
            if first + local < queries {
                let query = first_query + first + local;
                let pair = pair_of(place_of(query), key, rows[query]);
                if pair.takes_part {
#if values
                    weight = plain_bits(pair.p);
#else
                    weight = plain_bits(pair.product);
#endif
                }
            }
            weights[local] = weight;
            workgroupBarrier();
            for (var i = local / width; i < min(THREADS, queries - first); i += THREADS / width) {
                if weights[i] == NONE {
                    continue;
                }
                let w = bitcast<f32>(weights[i]);
                let start = element_start(place_of(first_query + first + i));
                for (var c = 0u; c < 4u; c++) {
                    let column = block + c * width + lane;
                    if column < size {
                        sum[c] += w * element(start, column);
                    }
                }
            }
            workgroupBarrier();
        }
        for (var c = 0u; c < 4u; c++) {
            let total = sum_of_column(local, width, sum[c]);
            let column = block + c * width + lane;
            if local < width && column < size {
                emit(index * size + column, total);
            }
        }
    }
}
