// The gradient to the queries, a workgroup a query: the sum of the keys, each times the cotangent of their product. The
// row's numbers, with the mean of its cotangents, go to the kernels that follow (flag `given`: they are there already).
#import attention/backward
#import attention/mean
#import attention/trees

// Fused steps may take the place of this function, with what it binds.
#if !epilogue
@group(0) @binding(6) var<storage, read_write> dq: array<f32>;

fn emit(at: u32, value: f32) {
    dq[at] = value;
}
#endif
#if !given
@group(0) @binding(7) var<storage, read_write> full_rows: array<vec4<f32>>;
#endif

var<workgroup> weights: array<u32, THREADS>;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
    let query = linear_group(wid, groups);
    if query >= params.rows {
        return;
    }
    let at = place_of(query);
    var row = rows[query];
#if !given
    row.w = mean_of_row(at, local, row);
    if local == 0u {
        full_rows[query] = row;
    }
#endif
    let width = params.columns;
    let lane = local % width;
    for (var block = 0u; block < params.size; block += 4u * width) {
        var sum = vec4<f32>(0.0);
        for (var first = 0u; first < params.keys; first += THREADS) {
            let key = first + local;
            var weight = NONE;
            if key < params.keys {
                let pair = pair_of(at, key, row);
                if pair.takes_part {
                    weight = plain_bits(pair.product);
                }
            }
            weights[local] = weight;
            workgroupBarrier();
            for (var i = local / width; i < min(THREADS, params.keys - first); i += THREADS / width) {
                if weights[i] == NONE {
                    continue;
                }
                let d = bitcast<f32>(weights[i]);
                let start = key_start(at, first + i);
                for (var c = 0u; c < 4u; c++) {
                    let column = block + c * width + lane;
                    if column < params.size {
                        sum[c] += d * k[k_at(start, column)];
                    }
                }
            }
            workgroupBarrier();
        }
        for (var c = 0u; c < 4u; c++) {
            let total = sum_of_column(local, width, sum[c]);
            let column = block + c * width + lane;
            if local < width && column < params.size {
                emit(query * params.size + column, total);
            }
        }
    }
}
