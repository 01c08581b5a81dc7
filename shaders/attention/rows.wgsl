// The rows' numbers for the backward pass, where no gradient to the queries gives them. A workgroup a query.
#import attention/mean

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
    let mean = mean_of_row(at, local, row);
    if local == 0u {
        full_rows[query] = vec4<f32>(row.xyz, mean);
    }
}
