// A convolution, or a gradient of one, as an implicit product in registers: b is gathered from an image while it is read.
//
// A workgroup of DOWN x ACROSS threads makes a tile of outputs; each thread 4 x 4 of them, or 8 in a direction (flags
// `rows8`, `cols8`). The sum runs over k in steps of DEPTH staged in workgroup memory: a thread reads blocks of 4 x 4 into
// registers while the step before is computed. A vector of a tile holds four rows or columns that lie a quarter of the tile
// apart, so that neighbouring threads read, and store, neighbours.
//
// What k contributes to the places of a step is worked out by DEPTH threads once, in `table`; what a column contributes,
// by the threads that read it, once for the whole sum. Beyond an edge and in the padding there are zeros.
// `vectors`: the rows of a are read in fours along k. Parts of k lie one behind the other in c and are added afterwards.
// `long`: every CHAIN steps sums go to totals, because long chains of f32 lose digits.
#import shared/grid
#import conv2d/staged

const CHAIN: u32 = 4u;

fn store(row: u32, to: vec4<u32>, values: vec4<f32>) {
    for (var j = 0u; j < 4u; j++) {
        if to[j] != NOWHERE {
            emit(row + to[j], values[j]);
        }
    }
}

@compute @workgroup_size(ACROSS, DOWN)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_id) id: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    var number = linear_group(wid, groups);
    let across = (params.product.y + TILE_N - 1u) / TILE_N;
    let down = (params.product.x + TILE_M - 1u) / TILE_M;
    if number >= across * down * params.size.w * params.product.w * params.split.y {
        return;
    }
    let col0 = number % across * TILE_N;
    number = number / across;
    let row0 = number % down * TILE_M;
    number = number / down;
    let group = number % params.size.w;
    number = number / params.size.w;
    let phase = phase_of(number % params.product.w);
    let part = number / params.product.w;
    let begin = part * params.split.x;
    let end = min(begin + params.split.x, depth_of(phase));
    let rows = rows_at(group);
    // Blocks of b begin where those of a end, so that fewer threads have two.
    let block = (local + THREADS - BLOCKS_A % THREADS) % THREADS;
    let column = col0 + block % VECTORS_B;
    let columns = Columns(column_at(phase, group, column), column_at(phase, group, column + VECTORS_B),
        column_at(phase, group, column + VECTORS_B * 2u), column_at(phase, group, column + VECTORS_B * 3u));

    var c0 = vec4<f32>(); var c1 = vec4<f32>(); var c2 = vec4<f32>(); var c3 = vec4<f32>();
    var c4 = vec4<f32>(); var c5 = vec4<f32>(); var c6 = vec4<f32>(); var c7 = vec4<f32>();
    var d0 = vec4<f32>(); var d1 = vec4<f32>(); var d2 = vec4<f32>(); var d3 = vec4<f32>();
    var d4 = vec4<f32>(); var d5 = vec4<f32>(); var d6 = vec4<f32>(); var d7 = vec4<f32>();
#if long
    var totals: array<vec4<f32>, 16>;
#endif
    var next_a = mat4x4<f32>();
    var next_b0 = mat4x4<f32>();
    var next_b1 = mat4x4<f32>();
    for (var k0 = begin; k0 < end + DEPTH; k0 += DEPTH) {
        // The first turn only reads ahead, the last only computes.
        if k0 > begin {
            leave_a(local, next_a);
            leave_b(block, next_b0);
            if BLOCKS_B > THREADS { leave_b(block + THREADS, next_b1); }
        }
        for (var k = local; k < DEPTH; k += THREADS) {
            table[k] = index_at(phase, k0 + k, end);
        }
        workgroupBarrier();
        if k0 < end {
            next_a = block_a(local, rows, row0, k0, end);
            next_b0 = block_b(block, columns);
            if BLOCKS_B > THREADS { next_b1 = block_b(block + THREADS, columns); }
        }
        if k0 > begin {
            for (var k = 0u; k < DEPTH; k++) {
                let a = tile_a[k * VECTORS_A + bank(id.y, k / 4u)];
                let b = tile_b[k * VECTORS_B + id.x];
                c0 = fma(a.xxxx, b, c0);
                c1 = fma(a.yyyy, b, c1);
                c2 = fma(a.zzzz, b, c2);
                c3 = fma(a.wwww, b, c3);
#if cols8
                let right = tile_b[k * VECTORS_B + id.x + ACROSS];
                d0 = fma(a.xxxx, right, d0);
                d1 = fma(a.yyyy, right, d1);
                d2 = fma(a.zzzz, right, d2);
                d3 = fma(a.wwww, right, d3);
#endif
#if rows8
                let below = tile_a[k * VECTORS_A + bank(id.y + DOWN, k / 4u)];
                c4 = fma(below.xxxx, b, c4);
                c5 = fma(below.yyyy, b, c5);
                c6 = fma(below.zzzz, b, c6);
                c7 = fma(below.wwww, b, c7);
#if cols8
                d4 = fma(below.xxxx, right, d4);
                d5 = fma(below.yyyy, right, d5);
                d6 = fma(below.zzzz, right, d6);
                d7 = fma(below.wwww, right, d7);
#endif
#endif
            }
        }
        workgroupBarrier();
#if long
        if (k0 - begin) / DEPTH % CHAIN == CHAIN - 1u {
            totals[0] += c0; totals[1] += d0; totals[2] += c1; totals[3] += d1;
            totals[4] += c2; totals[5] += d2; totals[6] += c3; totals[7] += d3;
            totals[8] += c4; totals[9] += d4; totals[10] += c5; totals[11] += d5;
            totals[12] += c6; totals[13] += d6; totals[14] += c7; totals[15] += d7;
            c0 = vec4<f32>(); c1 = vec4<f32>(); c2 = vec4<f32>(); c3 = vec4<f32>();
            c4 = vec4<f32>(); c5 = vec4<f32>(); c6 = vec4<f32>(); c7 = vec4<f32>();
            d0 = vec4<f32>(); d1 = vec4<f32>(); d2 = vec4<f32>(); d3 = vec4<f32>();
            d4 = vec4<f32>(); d5 = vec4<f32>(); d6 = vec4<f32>(); d7 = vec4<f32>();
        }
#endif
    }
    // A copy: the vectors above stay in registers, this one is indexed.
    var results = array(c0, d0, c1, d1, c2, d2, c3, d3, c4, d4, c5, d5, c6, d6, c7, d7);
#if long
    for (var i = 0u; i < 16u; i++) {
        results[i] += totals[i];
    }
#endif
    let left = col0 + id.x;
    let to = vec4<u32>(to_column(phase, left), to_column(phase, left + VECTORS_B),
        to_column(phase, left + VECTORS_B * 2u), to_column(phase, left + VECTORS_B * 3u));
#if cols8
    let to_right = vec4<u32>(to_column(phase, left + ACROSS), to_column(phase, left + ACROSS + VECTORS_B),
        to_column(phase, left + ACROSS + VECTORS_B * 2u), to_column(phase, left + ACROSS + VECTORS_B * 3u));
#endif
    // Of one part of k: all outputs.
    let whole = params.product.x * row_size() * params.size.w;
#if to_weight
    let behind = part * whole;
#else
    let behind = part * whole * params.size.x;
#endif
#if rows8
    for (var i = 0u; i < 8u; i++) {
#else
    for (var i = 0u; i < 4u; i++) {
#endif
        // Vector id.y holds rows id.y + i VECTORS_A; the second vector begins DOWN further.
        let row = row0 + id.y + i / 4u * DOWN + i % 4u * VECTORS_A;
        if row < params.product.x {
            let at = behind + (group * params.product.x + row) * row_size();
            store(at, to, results[i * 2u]);
#if cols8
            store(at, to_right, results[i * 2u + 1u]);
#endif
        }
    }
}
