// Attention, a workgroup a query: scores, then (flag `top_k`) the smallest score that is kept, the normaliser's number, and
// the weighted sum of the values. Scores are kept in workgroup memory (flag `cached`: at most CACHE keys) or made anew
// for each pass over the keys; they are never in a buffer.
#import attention/scores
#import attention/trees

const CACHE: u32 = 2048u;

// Fused steps may take the place of this function, with what it binds.
#if !epilogue
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

fn emit(at: u32, value: f32) {
    y[at] = value;
}
#endif
@group(0) @binding(5) var<storage, read_write> rows: array<vec4<f32>>;

var<workgroup> weights: array<u32, THREADS>;
#if cached
var<workgroup> cache: array<u32, CACHE>;
#endif

fn fresh_score(at: Place, key: u32) -> u32 {
    if is_allowed(at, key) {
        return plain_bits(score_of(at, key).value);
    }
    return NONE;
}

// The bits of a score, NONE where the mask forbids the key.
fn score_bits(at: Place, key: u32) -> u32 {
#if cached
    return cache[key];
#else
    return fresh_score(at, key);
#endif
}

#if top_k
var<workgroup> histogram: array<atomic<u32>, 256>;
var<workgroup> found: vec2<u32>;

// Larger floats have larger numbers; none is 0.
fn ordered(bits: u32) -> u32 {
    return select(bits | 0x80000000u, ~bits, bits > 0x7fffffffu);
}

fn unordered(order: u32) -> f32 {
    return bitcast<f32>(select(~order, order & 0x7fffffffu, order > 0x7fffffffu));
}

// The k-th largest score, digit by digit of its number. What is kept lies above the middle between it and the next, so
// that a backward pass whose scores differ in the last bit keeps the same.
fn smallest_kept(at: Place, local: u32) -> f32 {
    var prefix = 0u;
    var known = 0u;
    var wanted = params.top_k;
    for (var digit = 0u; digit < 4u; digit++) {
        let shift = 24u - 8u * digit;
        for (var i = local; i < 256u; i += THREADS) {
            atomicStore(&histogram[i], 0u);
        }
        workgroupBarrier();
        for (var key = local; key < params.keys; key += THREADS) {
            let bits = score_bits(at, key);
            if bits != NONE && (ordered(bits) & known) == prefix {
                atomicAdd(&histogram[(ordered(bits) >> shift) & 255u], 1u);
            }
        }
        workgroupBarrier();
        if local == 0u {
            var left = wanted;
            var d = 255u;
            for (; d > 0u; d--) {
                let here = atomicLoad(&histogram[d]);
                if here >= left {
                    break;
                }
                left -= here;
            }
            found = vec2<u32>(d, left);
        }
        let next = workgroupUniformLoad(&found);
        prefix = prefix | (next.x << shift);
        known = known | (255u << shift);
        wanted = next.y;
    }
    var below = 0u;
    for (var key = local; key < params.keys; key += THREADS) {
        let bits = score_bits(at, key);
        if bits != NONE && ordered(bits) < prefix {
            below = max(below, ordered(bits));
        }
    }
    below = largest_count_of_all(local, below);
    // Nothing is left out.
    if below == 0u {
        return -kw_inf();
    }
    let kth = unordered(prefix);
    let middle = 0.5 * unordered(below) + 0.5 * kth;
    return select(kth, middle, middle > unordered(below) && middle <= kth);
}
#endif

// The normaliser's number for a row whose other numbers are known. Thresholds come from Newton's method, from the left:
// the function is convex and falls, so that it never oversteps; for sparsemax it ends exactly.
fn normalizer(at: Place, local: u32, row: Row) -> f32 {
    if !kw_is_finite(row.x) {
        return kw_nan();
    }
#if sparsemax
    var threshold = -1.0;
#else
#if entmax15
    var threshold = -1.0;
#else
    var threshold = 0.0;
#endif
#endif
    for (var turn = 0u; turn < 64u; turn++) {
        var first = 0.0;
        var second = 0.0;
        for (var key = local; key < params.keys; key += THREADS) {
            let bits = score_bits(at, key);
            let score = bitcast<f32>(bits);
            if bits == NONE || !is_kept(score, row) {
                continue;
            }
            let u = score - row.x;
#if sparsemax
            if u > threshold {
                first += u - threshold;
                second += 1.0;
            }
#else
#if entmax15
            let t = max(0.5 * u - threshold, 0.0);
            first += t * t;
            second += t;
#else
            first += kw_exp(u);
#endif
#endif
        }
        first = sum_of_all(local, first);
#if sparsemax
        second = sum_of_all(local, second);
        let next = threshold + (first - 1.0) / second;
#else
#if entmax15
        second = sum_of_all(local, second);
        let root = sqrt(first);
        let next = threshold + (root - 1.0) * (root / second);
#else
        return first;
#endif
#endif
#if sparsemax
        if !(next > threshold) {
            return next;
        }
        threshold = next;
#endif
#if entmax15
        if !(next > threshold) {
            return next;
        }
        threshold = next;
#endif
    }
    return threshold;
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
    let query = linear_group(wid, groups);
    if query >= params.rows {
        return;
    }
    let at = place_of(query);
#if cached
    for (var key = local; key < params.keys; key += THREADS) {
        cache[key] = fresh_score(at, key);
    }
    workgroupBarrier();
#endif
    var most = -kw_inf();
    var any = 0u;
    for (var key = local; key < params.keys; key += THREADS) {
        let bits = score_bits(at, key);
        if bits != NONE {
            most = larger(most, bitcast<f32>(bits));
            any = 1u;
        }
    }
    var row = Row(largest_of_all(local, most), 0.0, 0.0, 0.0);
    if largest_count_of_all(local, any) == 1u {
#if top_k
        row.z = smallest_kept(at, local);
#endif
        row.y = normalizer(at, local, row);
    } else {
        row.x = 0.0;
    }
    if local == 0u {
        rows[query] = row;
    }
    let lane = local % params.columns;
    let width = params.columns;
    for (var block = 0u; block < params.value_size; block += 4u * width) {
        var sum = vec4<f32>(0.0);
        for (var first = 0u; first < params.keys; first += THREADS) {
            let key = first + local;
            var weight = NONE;
            if key < params.keys {
                let bits = score_bits(at, key);
                if bits != NONE && is_kept(bitcast<f32>(bits), row) {
                    weight = plain_bits(weight_of(bitcast<f32>(bits), row).p);
                }
            }
            weights[local] = weight;
            workgroupBarrier();
            for (var i = local / width; i < min(THREADS, params.keys - first); i += THREADS / width) {
                if weights[i] == NONE {
                    continue;
                }
                let p = bitcast<f32>(weights[i]);
                let start = value_start(at, first + i);
                for (var c = 0u; c < 4u; c++) {
                    let column = block + c * width + lane;
                    if column < params.value_size {
                        sum[c] += p * v[v_at(start, column)];
                    }
                }
            }
            workgroupBarrier();
        }
        for (var c = 0u; c < 4u; c++) {
            let total = sum_of_column(local, width, sum[c]);
            let column = block + c * width + lane;
            if local < width && column < params.value_size {
                emit(query * params.value_size + column, total);
            }
        }
    }
}
