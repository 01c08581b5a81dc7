// The backward pass' number of each query: the mean of its weights' cotangents, each counted by how its weight follows its
// score. For softmax that is the product of the output and its cotangent. A workgroup a query.
#import attention/backward
#import attention/trees

@group(0) @binding(6) var<storage, read_write> full_rows: array<vec4<f32>>;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
    let query = linear_group(wid, groups);
    if query >= params.rows {
        return;
    }
    let at = place_of(query);
    let row = rows[query];
    var total = 0.0;
    var slopes = 0.0;
    for (var key = local; key < params.keys; key += THREADS) {
        if !is_allowed(at, key) {
            continue;
        }
        let score = score_of(at, key).value;
        if is_kept(score, row) {
            let slope = weight_of(score, row).slope;
            slopes += slope;
            total += slope * cotangent_times_value(query, at.first_key + key);
        }
    }
    total = sum_of_all(local, total);
    slopes = sum_of_all(local, slopes);
    if local == 0u {
        full_rows[query] = vec4<f32>(row.xyz, select(total / slopes, 0.0, slopes == 0.0));
    }
}
