// The score of a query and a key. A kernel of the host's making adds in front what attention/mask needs, and `bias` (flag
// `bias`: the learned [heads, 2 radius + 1] where `relative` is set, else a broadcast [heads, queries, keys]).
#import attention/elements
#import attention/mask
#import shared/grid
#import shared/bits
#import shared/exp
#import shared/tanh

struct Score {
    value: f32,
    // its derivative in the product of query and key
    slope: f32,
}

// Eight products a turn, in eight sums.
fn query_times_key(at: Place, key: u32) -> f32 {
    let a = query_start(at);
    let b = key_start(at, key);
    let whole = params.size / 8u * 8u;
    var s = vec4<f32>(0.0);
    var t = vec4<f32>(0.0);
    for (var d = 0u; d < whole; d += 8u) {
        s += four_of_q(a, d) * four_of_k(b, d);
        t += four_of_q(a, d + 4u) * four_of_k(b, d + 4u);
    }
    var rest = 0.0;
    for (var d = whole; d < params.size; d++) {
        rest += q[q_at(a, d)] * k[k_at(b, d)];
    }
    let u = s + t;
    return ((u.x + u.y) + (u.z + u.w)) + rest;
}

#if alibi
// 2^(-8 (head + 1) / heads), its whole powers of two exact.
fn alibi_slope(head: u32) -> f32 {
    let eighths = 8u * (head + 1u);
    let whole = eighths / params.heads;
    let rest = f32(eighths % params.heads) / f32(params.heads);
    return kw_exp(-0.6931472 * rest) * kw_pow2(-i32(whole));
}
#endif

#if bias
fn bias_at(head: u32, row: u32, key: u32) -> f32 {
#if relative
    let radius = i32(params.radius);
    let distance = clamp(i32(key) - position_of(row), -radius, radius);
    return bias[head * params.bias_head + u32(distance + radius)];
#else
    return bias[head * params.bias_head + row * params.bias_row + key * params.bias_key];
#endif
}
#endif

fn score_of(at: Place, key: u32) -> Score {
    return score_from(at, key, query_times_key(at, key));
}

// From the product of query and key, in this order: scale, softcap, alibi, bias.
fn score_from(at: Place, key: u32, product: f32) -> Score {
    var score = Score(product * params.scale, params.scale);
#if softcap
    let t = kw_tanh(score.value / params.softcap);
    score = Score(params.softcap * t, params.scale * ((1.0 - t) * (1.0 + t)));
#endif
#if alibi
    score.value += alibi_slope(at.head) * f32(i32(key) - position_of(at.row));
#endif
#if bias
    score.value += bias_at(at.head, at.row, key);
#endif
    return score;
}

// What a row leaves behind: its largest score, the normaliser's number, the smallest score that top_k keeps, and (in the
// backward pass) the mean of the cotangents. The number is a sum for softmax, else the threshold below the largest score.
alias Row = vec4<f32>;

// A key's weight, and how that follows its score.
struct Weight {
    p: f32,
    slope: f32,
}

fn is_kept(score: f32, row: Row) -> bool {
#if top_k
    return !(score < row.z);
#else
    return true;
#endif
}

fn weight_of(score: f32, row: Row) -> Weight {
    if kw_is_nan(row.y) {
        return Weight(row.y, row.y);
    }
    let u = score - row.x;
#if sparsemax
    let t = u - row.y;
    return Weight(max(t, 0.0), select(0.0, 1.0, t > 0.0));
#else
#if entmax15
    let t = max(0.5 * u - row.y, 0.0);
    return Weight(t * t, t);
#else
    let p = kw_exp(u) / row.y;
    return Weight(p, p);
#endif
#endif
}

// A key that takes no part, among bits of floats.
const NONE: u32 = 0xffffffffu;

// The bits of a float: one NaN only, which is not NONE, and no -0.
fn plain_bits(x: f32) -> u32 {
    let bits = bitcast<u32>(x);
    if (bits << 1u) > 0xff000000u {
        return 0x7fc00000u;
    }
    return select(bits, 0u, (bits << 1u) == 0u);
}
