// Attention over a cache: a workgroup takes up to ROWS query rows that share a key head, 256 columns of the values, and all of
// their keys or (flag `split`) a part of them, in tiles of a key a thread. What is summed so far is scaled down whenever a
// larger score comes. A part leaves the weighted values, the largest score and the sum of a row; -1 for a sum where the row
// sees none of its keys.
#import attention/decode_keys
#import shared/grid
#import shared/bits
#import shared/exp
#import shared/tanh

const THREADS: u32 = 64u;
const LOWEST: f32 = -3.4028234e38;
// Four elements each of a row that are in workgroup memory at a time, and the step to the next row.
const FOURS: u32 = 8u;
const PITCH: u32 = 9u;

#if split
@group(0) @binding(5) var<storage, read_write> parts: array<f32>;
#else
// Fused steps may take the place of this function, with what it binds.
#if !epilogue
@group(0) @binding(5) var<storage, read_write> y: array<f32>;

fn emit(at: u32, value: f32) {
    y[at] = value;
}
#endif
#endif

var<workgroup> key_part: array<vec4<f32>, THREADS * PITCH>;
var<workgroup> query_part: array<vec4<f32>, ROWS * FOURS>;
// Scores, then weights: below 0 for what a row does not see.
var<workgroup> weights: array<f32, ROWS * THREADS>;
var<workgroup> tree: array<f32, THREADS>;

fn larger(a: f32, b: f32) -> f32 {
    if b > a || kw_is_nan(b) {
        return b;
    }
    return a;
}

fn query_four(here: Block, r: u32, column: u32) -> vec4<f32> {
    var four = vec4<f32>(0.0);
    if r < here.rows {
        let start = query_start(here, r);
        for (var i = 0u; i < 4u; i++) {
            if column + i < params.size {
                four[i] = q[start + column + i];
            }
        }
    }
    return four;
}

// The products of each row with the key of this thread, a part of the columns at a time.
fn products_with_key(here: Block, first: u32, last: u32, local: u32) -> array<f32, ROWS> {
    var sums: array<vec4<f32>, ROWS>;
    for (var column = 0u; column < params.size; column += 4u * FOURS) {
        workgroupBarrier();
        for (var i = local; i < ROWS * FOURS; i += THREADS) {
            query_part[i] = query_four(here, i / FOURS, column + i % FOURS * 4u);
        }
        for (var i = local; i < THREADS * FOURS; i += THREADS) {
            var four = vec4<f32>(0.0);
            if first + i / FOURS < last {
                four = key_four(here, first + i / FOURS, column + i % FOURS * 4u);
            }
            key_part[i / FOURS * PITCH + i % FOURS] = four;
        }
        workgroupBarrier();
        for (var d = 0u; d < FOURS; d++) {
            let key = key_part[local * PITCH + d];
            for (var r = 0u; r < ROWS; r++) {
                sums[r] += query_part[r * FOURS + d] * key;
            }
        }
    }
    var products: array<f32, ROWS>;
    for (var r = 0u; r < ROWS; r++) {
        products[r] = (sums[r].x + sums[r].y) + (sums[r].z + sums[r].w);
    }
    return products;
}

fn score_of(here: Block, r: u32, key: u32, product: f32) -> f32 {
    var score = product * params.scale;
#if softcap
    score = params.softcap * kw_tanh(score / params.softcap);
#endif
#if alibi
    // 2^(-8 (head + 1) / heads), its whole powers of two exact.
    let eighths = 8u * (head_of(here, r) + 1u);
    let rest = f32(eighths % params.heads) / f32(params.heads);
    let rate = kw_exp(-0.6931472 * rest) * kw_pow2(-i32(eighths / params.heads));
    score += rate * f32(i32(key) - position_of(here.length, query_of(here, r)));
#endif
    return score;
}

// The largest of each row of `weights`, in tree[row * (THREADS / ROWS)].
fn largest_of_rows(local: u32) {
    let width = THREADS / ROWS;
    var top = LOWEST;
    for (var i = local % width; i < THREADS; i += width) {
        top = larger(top, weights[local / width * THREADS + i]);
    }
    tree[local] = top;
    workgroupBarrier();
    for (var step = width / 2u; step > 0u; step = step / 2u) {
        if local % width < step {
            tree[local] = larger(tree[local], tree[local + step]);
        }
        workgroupBarrier();
    }
}

// The same for sums.
fn sum_of_rows(local: u32) {
    let width = THREADS / ROWS;
    var sum = 0.0;
    for (var i = local % width; i < THREADS; i += width) {
        sum += weights[local / width * THREADS + i];
    }
    tree[local] = sum;
    workgroupBarrier();
    for (var step = width / 2u; step > 0u; step = step / 2u) {
        if local % width < step {
            tree[local] += tree[local + step];
        }
        workgroupBarrier();
    }
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
    let group = linear_group(wid, groups);
    if group >= params.groups {
        return;
    }
    let part = group % params.splits;
    let here = block_of(group / params.splits);
    if local == 0u && is_first_of_batch(here) && part == 0u {
        count_length(here.batch);
    }
    // This part of the keys, in whole tiles.
    let all = here.last - here.first;
    let tiles = (all + THREADS - 1u) / THREADS;
    let each = (tiles + params.splits - 1u) / params.splits * THREADS;
    let begin = min(here.first + part * each, here.last);
    let end = min(begin + each, here.last);
    // The columns of this thread, and the threads beside it that do the same for other keys.
    let column = here.column + local % params.lanes * 4u;
    let apart = THREADS / params.lanes;

    var most: array<f32, ROWS>;
    var total: array<f32, ROWS>;
    var sums: array<vec4<f32>, ROWS>;
    for (var r = 0u; r < ROWS; r++) {
        most[r] = LOWEST;
    }
    for (var first = begin; first < end; first += THREADS) {
        let key = first + local;
        let products = products_with_key(here, first, end, local);
        var scores: array<f32, ROWS>;
        var sees: array<bool, ROWS>;
        for (var r = 0u; r < ROWS; r++) {
            let seen = seen_by(here.length, query_of(here, r));
            sees[r] = r < here.rows && key < end && key >= seen.x && key < seen.y;
            scores[r] = score_of(here, r, key, products[r]);
            weights[r * THREADS + local] = select(LOWEST, scores[r], sees[r]);
        }
        workgroupBarrier();
        largest_of_rows(local);
        for (var r = 0u; r < ROWS; r++) {
            let top = larger(most[r], tree[r * (THREADS / ROWS)]);
            let factor = kw_exp(most[r] - top);
            most[r] = top;
            let p = kw_exp(scores[r] - top);
            weights[r * THREADS + local] = select(-1.0, p, sees[r]);
            total[r] = total[r] * factor + select(0.0, p, sees[r]);
            sums[r] *= factor;
        }
        workgroupBarrier();
        for (var i = local / params.lanes; i < min(THREADS, end - first); i += apart) {
            let value = value_four(here, first + i, column);
            for (var r = 0u; r < ROWS; r++) {
                let p = weights[r * THREADS + i];
                sums[r] += select(p * value, vec4<f32>(0.0), p < 0.0);
            }
        }
    }

    workgroupBarrier();
    for (var r = 0u; r < ROWS; r++) {
        weights[r * THREADS + local] = total[r];
    }
    workgroupBarrier();
    sum_of_rows(local);
    for (var r = 0u; r < ROWS; r++) {
        key_part[local] = sums[r];
        workgroupBarrier();
        for (var step = THREADS / 2u; step >= params.lanes; step = step / 2u) {
            if local < step {
                key_part[local] += key_part[local + step];
            }
            workgroupBarrier();
        }
        let sum = key_part[local];
        workgroupBarrier();
        if r >= here.rows {
            continue;
        }
        let row = row_of(here, r);
        let whole = tree[r * (THREADS / ROWS)];
        let seen = seen_by(here.length, query_of(here, r));
        let any = max(seen.x, begin) < min(seen.y, end);
#if split
        let at = (row * params.splits + part) * (params.value_size + 2u);
        if local < params.lanes {
            for (var c = 0u; c < min(4u, params.value_size - min(column, params.value_size)); c++) {
                parts[at + column + c] = sum[c];
            }
        }
        if local == 0u && here.column == 0u {
            parts[at + params.value_size] = most[r];
            parts[at + params.value_size + 1u] = select(-1.0, whole, any);
        }
#else
        // Where all scores are -inf nothing was summed.
        let by = select(1.0 / whole, kw_nan(), whole == 0.0);
        if local < params.lanes {
            for (var c = 0u; c < min(4u, params.value_size - min(column, params.value_size)); c++) {
                emit(row * params.value_size + column + c, select(0.0, sum[c] * by, any));
            }
        }
#endif
    }
}
