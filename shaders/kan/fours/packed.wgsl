// A point of a spline layer as vectors of four, one thread's to write and many threads' to read: the weights of the k + 1
// functions that are not 0, and in the last two words that of silu and the number of the first function.
#import kan/local

const KAN_VECTORS: u32 = (KAN_TERMS + 5u) / 4u;

alias KanPacked = array<vec4<f32>, KAN_VECTORS>;

// All times u; i is the input that x belongs to. The first function is less than 0 where x is NaN.
fn kan_packed(x: f32, i: u32, u: f32, act: f32) -> KanPacked {
    var words: array<f32, KAN_VECTORS * 4u>;
    words[KAN_VECTORS * 4u - 2u] = u * act;
    if KAN_TERMS > 0u {
        let local = kan_at(x, i);
        for (var r = 0u; r < KAN_TERMS; r++) {
            words[r] = u * local.weights[r];
        }
        words[KAN_VECTORS * 4u - 1u] = select(f32(local.start), -1.0, kw_is_nan(x));
    }
    var all: KanPacked;
    for (var v = 0u; v < KAN_VECTORS; v++) {
        all[v] = vec4<f32>(words[v * 4u], words[v * 4u + 1u], words[v * 4u + 2u], words[v * 4u + 3u]);
    }
    return all;
}

// The first function of a point, by its last vector.
fn kan_first(last: vec4<f32>) -> u32 {
    return u32(max(last.w, 0.0));
}
