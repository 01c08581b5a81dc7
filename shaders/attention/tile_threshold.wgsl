// Thresholds of sparsemax and entmax15, a workgroup a tile of queries: the largest score of each row in one pass over its list of
// tiles, then Newton's method from the left, a pass a step. Thresholds only rise, so that a tile whose scores all lie below them is
// left out of the passes that follow, and of the value pass and the backward pass after them. Flag `lists`.
#import attention/tiles
#import attention/empty_tiles
#import attention/larger

@group(0) @binding(4) var<storage, read_write> rows: array<vec4<f32>>;

// Words of bits, a bit a tile of keys.
const WORDS: u32 = 256u;
const LOWEST: f32 = -3.4028234e38;
const TURNS: u32 = 64u;

var<workgroup> first_parts: array<vec4<f32>, THREADS>;
var<workgroup> second_parts: array<vec4<f32>, THREADS>;
var<workgroup> seen_parts: array<vec4<u32>, THREADS>;
// Tiles that may hold weights, and those in which all pairs take part.
var<workgroup> alive: array<atomic<u32>, WORDS>;
var<workgroup> wholes: array<atomic<u32>, WORDS>;
var<workgroup> shared_word: u32;
var<workgroup> busy: atomic<u32>;

fn not_finite(x: vec4<f32>) -> vec4<bool> {
    return (bitcast<vec4<u32>>(x) & vec4<u32>(0x7fffffffu)) >= vec4<u32>(0x7f800000u);
}

// How far scores lie above the thresholds, as these count them.
fn above(scores: vec4<f32>, most: vec4<f32>, threshold: vec4<f32>) -> vec4<f32> {
#if sparsemax
    return (scores - most) - threshold;
#else
    return 0.5 * (scores - most) - threshold;
#endif
}

// A pass over the tiles that are alive: the largest scores (`turn` 0), else the sums of a step of Newton's method.
struct Pass {
    first: vec4<f32>,
    second: vec4<f32>,
    seen: vec4<u32>,
}

fn go(place: Meeting, local: u32, turn: u32, most: vec4<f32>, threshold: vec4<f32>) -> Pass {
    var here = place;
    var sums = Pass(vec4<f32>(select(0.0, LOWEST, turn == 0u)), vec4<f32>(0.0), vec4<u32>(0u));
    // Kernels that sum in another order may find a score so much higher.
    let margin = 1e-5 + 1e-5 * abs(most);
    // All weights of such a row are NaN.
    let no_number = not_finite(threshold);
    for (var word = 0u; word * 32u < params.tiles.y; word++) {
        if local == 0u {
            shared_word = atomicLoad(&alive[word]);
        }
        var left = workgroupUniformLoad(&shared_word);
        let whole = atomicLoad(&wholes[word]);
        var mine = 0u;
        while left != 0u {
            let bit = firstTrailingBit(left);
            left &= left - 1u;
            here.first_key = (word * 32u + bit) * TILE;
            here.whole = ((whole >> bit) & 1u) == 1u;
            let products = query_key_products(here, local);
            for (var j = 0u; j < EACH; j++) {
                let key = here.first_key + local % SIDE + j * SIDE;
                var scores = vec4<f32>(LOWEST);
                var part = vec4<u32>(0u);
                for (var i = 0u; i < EACH; i++) {
                    let row = here.first_row + local / SIDE * EACH + i;
                    if takes_part(here, row, key) {
                        scores[i] = score_from(place_in(here, row), key, products[j][i]).value;
                        part[i] = 1u;
                    }
                }
                sums.seen |= part;
                if turn == 0u {
                    sums.first = larger_four(sums.first, scores);
                    continue;
                }
                let t = above(scores, most, threshold);
                // Also what is no number: 0 times it is none.
                let may = (t > -margin) | no_number | not_finite(products[j]);
                mine |= select(0u, 1u << bit, any(may & (part == vec4<u32>(1u))));
                let kept = (t > vec4<f32>(0.0)) & (part == vec4<u32>(1u));
#if sparsemax
                sums.first += select(vec4<f32>(0.0), t, kept);
                sums.second += select(vec4<f32>(0.0), vec4<f32>(1.0), kept);
#else
                sums.first += select(vec4<f32>(0.0), t * t, kept);
                sums.second += select(vec4<f32>(0.0), t, kept);
#endif
            }
        }
        if turn > 0u {
            if local == 0u {
                atomicStore(&alive[word], 0u);
            }
            workgroupBarrier();
            atomicOr(&alive[word], mine);
        }
    }
    return across(local, turn, sums);
}

// What the threads of a row have together, in their order.
fn across(local: u32, turn: u32, mine: Pass) -> Pass {
    first_parts[local] = mine.first;
    second_parts[local] = mine.second;
    seen_parts[local] = mine.seen;
    workgroupBarrier();
    let start = local / SIDE * SIDE;
    var all = Pass(first_parts[start], second_parts[start], seen_parts[start]);
    for (var i = start + 1u; i < start + SIDE; i++) {
        if turn == 0u {
            all.first = larger_four(all.first, first_parts[i]);
        } else {
            all.first += first_parts[i];
        }
        all.second += second_parts[i];
        all.seen |= seen_parts[i];
    }
    workgroupBarrier();
    return all;
}

fn take_list(local: u32, list: u32) {
    for (var word = local; word < WORDS; word += THREADS) {
        atomicStore(&alive[word], 0u);
        atomicStore(&wholes[word], 0u);
    }
    workgroupBarrier();
    for (var n = local; n < length_of(list); n += THREADS) {
        let entry = entry_of(list, n);
        let tile = min(entry / 2u, 32u * WORDS - 1u);
        atomicOr(&alive[tile / 32u], 1u << (tile % 32u));
        atomicOr(&wholes[tile / 32u], (entry & 1u) << (tile % 32u));
    }
    workgroupBarrier();
}

// The bits of the tiles of keys that are empty, of one row of the tile of queries.
fn empty_bits(first_row: u32, row: u32) -> f32 {
    let span = tiles_a_bit(first_row);
    var bits = 0u;
    for (var j = 0u; j < EMPTY_BITS; j++) {
        let start = (row * EMPTY_BITS + j) * span;
        var any = 0u;
        for (var tile = start; tile < min(start + span, params.tiles.y); tile++) {
            any |= (atomicLoad(&alive[tile / 32u]) >> (tile % 32u)) & 1u;
        }
        bits |= (1u - any) << j;
    }
    return f32(bits);
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
    let group = linear_group(wid, groups);
    if group >= params.count {
        return;
    }
    let here = owned_queries(group);
    take_list(local, list_of(here.batch, here.head, here.first_row / TILE));
    let found = go(here, local, 0u, vec4<f32>(0.0), vec4<f32>(0.0));
    let any_seen = found.seen == vec4<u32>(1u);
    // No -inf rises above LOWEST: then all scores are -inf.
    let number = (found.first > vec4<f32>(LOWEST)) & (found.first <= vec4<f32>(-LOWEST));
    let most = select(vec4<f32>(0.0), found.first, any_seen);
    var threshold = select(vec4<f32>(0.0), vec4<f32>(-1.0), any_seen);
    threshold = select(threshold, vec4<f32>(kw_nan()), any_seen & !number);
    var done = !(any_seen & number);
    for (var turn = 1u; turn <= TURNS; turn++) {
        if local == 0u {
            atomicStore(&busy, 0u);
        }
        workgroupBarrier();
        if !all(done) {
            atomicOr(&busy, 1u);
        }
        workgroupBarrier();
        if local == 0u {
            shared_word = atomicLoad(&busy);
        }
        if workgroupUniformLoad(&shared_word) == 0u {
            break;
        }
        let sums = go(here, local, turn, most, threshold);
#if sparsemax
        let next = threshold + (sums.first - 1.0) / sums.second;
#else
        let root = sqrt(sums.first);
        let next = threshold + (root - 1.0) * (root / sums.second);
#endif
        // From the left it never oversteps; where it rises no more it is there.
        let rises = next > threshold;
        threshold = select(next, threshold, done);
        done |= !rises;
    }
    workgroupBarrier();
    if local % SIDE == 0u {
        for (var i = 0u; i < EACH; i++) {
            let row = local / SIDE * EACH + i;
            if here.first_row + row < params.queries {
                let bits = empty_bits(here.first_row, row);
                rows[place_in(here, here.first_row + row).query] = Row(most[i], threshold[i], bits, 0.0);
            }
        }
    }
}
