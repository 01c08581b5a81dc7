// What all kernels of the backward pass share: the weight of a pair, and the cotangent of its score.
#import attention/scores

@group(0) @binding(4) var<storage, read> g: array<f32>;
#if given
// With all numbers, from a kernel of the same operation.
@group(0) @binding(5) var<storage, read_write> rows: array<vec4<f32>>;
#else
@group(0) @binding(5) var<storage, read> rows: array<vec4<f32>>;
#endif

fn cotangent_start(at: Place) -> u32 {
    return start_of(params.g_steps, at.batch, at.head, at.row);
}

fn four_of_g(start: u32, i: u32) -> vec4<f32> {
    return vec4<f32>(g[g_at(start, i)], g[g_at(start, i + 1u)], g[g_at(start, i + 2u)], g[g_at(start, i + 3u)]);
}

fn cotangent_times_value(at: Place, key: u32) -> f32 {
    let a = cotangent_start(at);
    let b = value_start(at, key);
    let whole = params.value_size / 8u * 8u;
    var s = vec4<f32>(0.0);
    var t = vec4<f32>(0.0);
    for (var d = 0u; d < whole; d += 8u) {
        s += four_of_g(a, d) * four_of_v(b, d);
        t += four_of_g(a, d + 4u) * four_of_v(b, d + 4u);
    }
    var rest = 0.0;
    for (var d = whole; d < params.value_size; d++) {
        rest += g[g_at(a, d)] * v[v_at(b, d)];
    }
    let u = s + t;
    return ((u.x + u.y) + (u.z + u.w)) + rest;
}

struct Pair {
    takes_part: bool,
    // the weight of the key
    p: f32,
    // the cotangent of the score, and that of the product of query and key
    score: f32,
    product: f32,
}

fn pair_of(at: Place, key: u32, row: Row) -> Pair {
    if !is_allowed(at, key) {
        return Pair(false, 0.0, 0.0, 0.0);
    }
    let score = score_of(at, key);
    if !is_kept(score.value, row) {
        return Pair(false, 0.0, 0.0, 0.0);
    }
    return pair_from(score, cotangent_times_value(at, key), row);
}

// Of a score that takes part, and the product of its value with the cotangent.
fn pair_from(score: Score, product: f32, row: Row) -> Pair {
    let weight = weight_of(score.value, row);
    let d = weight.slope * (product - row.w);
    return Pair(true, weight.p, d, d * score.slope);
}
