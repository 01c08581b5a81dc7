// The gradient to the bias, a workgroup an element: the cotangents of all scores that it was added to.
#import attention/backward
#import attention/trees

@group(0) @binding(6) var<storage, read_write> dbias: array<f32>;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
    let index = linear_group(wid, groups);
    if index >= params.count {
        return;
    }
    let batches = params.rows / (params.heads * params.queries);
    // The heads, rows and keys that the element stands for: one each where the bias has that dimension, else all.
    let one_head = params.bias_heads > 1u;
    let heads = select(params.heads, 1u, one_head);
    var rows_each = params.queries;
    var keys_each = params.keys;
    var head0 = 0u;
    var row0 = 0u;
    var key0 = 0u;
#if relative
    let span = 2u * params.radius + 1u;
    let offset = i32(index % span) - i32(params.radius);
    // Within the radius one key of each row; at its ends all beyond it.
    let at_end = index % span == 0u || index % span == span - 1u;
    if !at_end {
        keys_each = 1u;
    }
    head0 = select(0u, index / span, one_head);
#else
    if params.bias_keys > 1u {
        keys_each = 1u;
        key0 = index % params.bias_keys;
    }
    if params.bias_rows > 1u {
        rows_each = 1u;
        row0 = index / params.bias_keys % params.bias_rows;
    }
    head0 = select(0u, index / (params.bias_keys * params.bias_rows), one_head);
#endif
    let count = batches * heads * rows_each * keys_each;
    var sum = 0.0;
    for (var i = local; i < count; i += THREADS) {
        var key = key0 + i % keys_each;
        let row = row0 + i / keys_each % rows_each;
        let head = head0 + i / (keys_each * rows_each) % heads;
        let batch = i / (keys_each * rows_each * heads);
#if relative
        let radius = i32(params.radius);
        if at_end {
            if clamp(i32(key) - position_of(row), -radius, radius) != offset {
                continue;
            }
        } else {
            let found = position_of(row) + offset;
            if found < 0 || found >= i32(params.keys) {
                continue;
            }
            key = u32(found);
        }
#endif
        let at = place_of((batch * params.heads + head) * params.queries + row);
        sum += pair_of(at, key, rows[at.query]).score;
    }
    sum = sum_of_all(local, sum);
    if local == 0u {
        dbias[index] = sum;
    }
}
