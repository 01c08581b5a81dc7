// c[b, m, n] = sum_k a[b, m, k] b[b, k, n], both operands through any strides.
//
// A workgroup of 16 x 16 threads makes a tile of 16 EACH x 16 EACH outputs; each thread EACH x EACH of them, 16 apart, so
// that neighbouring threads write neighbouring elements. The sum runs over K in steps of DEPTH staged in workgroup memory.
//
// Flag `sums`, with `sums_a` or `sums_b`: the sums over K of the rows of a, or of the columns of b, leave the same kernel; the tiles of
// the first column, or of the first row, make them.
//
// A dispatch takes a range of K only, in one part or in several that lie one behind the other in c and are added
// afterwards. Flag `accumulate`: the range is added to what c holds.
#import matmul/params
#import shared/grid

const EACH: u32 = 4u;
const SIDE: u32 = 16u;
const TILE: u32 = SIDE * EACH;
const DEPTH: u32 = 16u;

// Fused steps may take the place of each of these functions, with what they bind.
#if !load_a
@group(0) @binding(1) var<storage, read> a: array<f32>;

fn load_a(at: u32) -> f32 {
    return a[at];
}
#endif
#if !load_b
@group(0) @binding(2) var<storage, read> b: array<f32>;

fn load_b(at: u32) -> f32 {
    return b[at];
}
#endif
#if !epilogue
@group(0) @binding(3) var<storage, read_write> c: array<f32>;

fn emit(at: u32, value: f32) {
#if accumulate
    c[at] += value;
#else
    c[at] = value;
#endif
}
#endif

#if sums
@group(0) @binding(4) var<storage, read_write> sums: array<f32>;

fn add_sum(at: u32, value: f32) {
#if accumulate
    sums[at] += value;
#else
    sums[at] = value;
#endif
}
#endif

// One column more than needed, so that rows begin in different banks.
var<workgroup> tile_a: array<f32, TILE * (DEPTH + 1u)>;
var<workgroup> tile_b: array<f32, DEPTH * (TILE + 1u)>;

@compute @workgroup_size(SIDE, SIDE)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_id) id: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let group = linear_group(wid, groups);
    let across = (params.n + TILE - 1u) / TILE;
    let down = (params.m + TILE - 1u) / TILE;
    if group >= across * down * params.batches * params.range.w {
        return;
    }
    // The part and the batch in one number: the row of c where this matrix begins, over m.
    let matrix = group / (across * down);
    let batch = matrix % params.batches;
    let tile = group % (across * down);
    let first = params.range.x + (matrix / params.batches) * params.range.z;
    let last = min(first + params.range.z, params.range.y);
    let row0 = (tile / across) * TILE;
    let col0 = (tile % across) * TILE;
    var rest = batch;
    var at_a = params.a.x;
    var at_b = params.b.x;
    for (var d = 0u; d < 4u; d++) {
        let i = rest % params.batch[3u - d];
        rest = rest / params.batch[3u - d];
        at_a += i * params.batch_a[3u - d];
        at_b += i * params.batch_b[3u - d];
    }
    var acc: array<f32, EACH * EACH>;
#if sums
    var sum = 0.0;
#endif
    for (var k0 = first; k0 < last; k0 += DEPTH) {
        for (var e = local; e < TILE * DEPTH; e += SIDE * SIDE) {
#if a_by_columns
            let r = e % TILE;
            let k = e / TILE;
#else
            let r = e / DEPTH;
            let k = e % DEPTH;
#endif
            var value = 0.0;
            if row0 + r < params.m && k0 + k < last {
                value = load_a(at_a + (row0 + r) * params.a.y + (k0 + k) * params.a.z);
            }
            tile_a[r * (DEPTH + 1u) + k] = value;
        }
        for (var e = local; e < TILE * DEPTH; e += SIDE * SIDE) {
#if b_by_columns
            let k = e % DEPTH;
            let col = e / DEPTH;
#else
            let k = e / TILE;
            let col = e % TILE;
#endif
            var value = 0.0;
            if col0 + col < params.n && k0 + k < last {
                value = load_b(at_b + (k0 + k) * params.b.y + (col0 + col) * params.b.z);
            }
            tile_b[k * (TILE + 1u) + col] = value;
        }
        workgroupBarrier();
#if sums_a
        if col0 == 0u && local < TILE {
            var part = 0.0;
            for (var k = 0u; k < DEPTH; k++) {
                part += tile_a[local * (DEPTH + 1u) + k];
            }
            sum += part;
        }
#endif
#if sums_b
        if row0 == 0u && local < TILE {
            var part = 0.0;
            for (var k = 0u; k < DEPTH; k++) {
                part += tile_b[k * (TILE + 1u) + local];
            }
            sum += part;
        }
#endif
        for (var k = 0u; k < DEPTH; k++) {
            var column: array<f32, EACH>;
            for (var j = 0u; j < EACH; j++) {
                column[j] = tile_b[k * (TILE + 1u) + id.x + j * SIDE];
            }
            for (var i = 0u; i < EACH; i++) {
                let value = tile_a[(id.y + i * SIDE) * (DEPTH + 1u) + k];
                for (var j = 0u; j < EACH; j++) {
                    acc[i * EACH + j] = fma(value, column[j], acc[i * EACH + j]);
                }
            }
        }
        workgroupBarrier();
    }
    for (var i = 0u; i < EACH; i++) {
        let row = row0 + id.y + i * SIDE;
        for (var j = 0u; j < EACH; j++) {
            let col = col0 + id.x + j * SIDE;
            if row < params.m && col < params.n {
                emit((matrix * params.m + row) * params.n + col, acc[i * EACH + j]);
            }
        }
    }
#if sums_a
    if col0 == 0u && local < TILE && row0 + local < params.m {
        add_sum(matrix * params.m + row0 + local, sum);
    }
#endif
#if sums_b
    if row0 == 0u && local < TILE && col0 + local < params.n {
        add_sum(matrix * params.n + col0 + local, sum);
    }
#endif
}
