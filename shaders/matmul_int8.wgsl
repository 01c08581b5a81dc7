// c[b, m, n] = scale_a[b, m] scale_b[b, n] sum_k a[b, m, k] b[b, n, k], both operands int8, four to a word along k, summed in i32.
//
// A workgroup of 16 x 16 threads makes a tile of 16 EACH x 16 EACH outputs; each thread EACH x EACH of them, 16 apart, so
// that neighbouring threads write neighbouring elements. The sum runs over DEPTH words at a time, staged in workgroup memory.
#import shared/grid

const EACH: u32 = 4u;
const SIDE: u32 = 16u;
const TILE: u32 = SIDE * EACH;
const DEPTH: u32 = 8u;
// One word more than needed, so that rows begin in different banks.
const STRIDE: u32 = DEPTH + 1u;

struct Params {
    m: u32,
    n: u32,
    // words of a row
    words: u32,
    batches: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<u32>;
@group(0) @binding(2) var<storage, read> b: array<u32>;
@group(0) @binding(3) var<storage, read> scale_a: array<f32>;
@group(0) @binding(4) var<storage, read> scale_b: array<f32>;
// Fused steps may take the place of this function, with what they bind.
#if !epilogue
@group(0) @binding(5) var<storage, read_write> c: array<f32>;

fn emit(at: u32, value: f32) {
    c[at] = value;
}
#endif

var<workgroup> tile_a: array<u32, TILE * STRIDE>;
var<workgroup> tile_b: array<u32, TILE * STRIDE>;

@compute @workgroup_size(SIDE, SIDE)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_id) id: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let group = linear_group(wid, groups);
    let across = (params.n + TILE - 1u) / TILE;
    let down = (params.m + TILE - 1u) / TILE;
    if group >= across * down * params.batches {
        return;
    }
    let batch = group / (across * down);
    let tile = group % (across * down);
    let row0 = (tile / across) * TILE;
    let col0 = (tile % across) * TILE;
    var acc: array<i32, EACH * EACH>;
    for (var first = 0u; first < params.words; first += DEPTH) {
        for (var e = local; e < TILE * DEPTH; e += SIDE * SIDE) {
            let line = e / DEPTH;
            let word = first + e % DEPTH;
            var value_a = 0u;
            var value_b = 0u;
            if row0 + line < params.m && word < params.words {
                value_a = a[(batch * params.m + row0 + line) * params.words + word];
            }
            if col0 + line < params.n && word < params.words {
                value_b = b[(batch * params.n + col0 + line) * params.words + word];
            }
            tile_a[line * STRIDE + e % DEPTH] = value_a;
            tile_b[line * STRIDE + e % DEPTH] = value_b;
        }
        workgroupBarrier();
        for (var k = 0u; k < DEPTH; k++) {
            var column: array<u32, EACH>;
            for (var j = 0u; j < EACH; j++) {
                column[j] = tile_b[(id.x + j * SIDE) * STRIDE + k];
            }
            for (var i = 0u; i < EACH; i++) {
                let four = tile_a[(id.y + i * SIDE) * STRIDE + k];
                for (var j = 0u; j < EACH; j++) {
                    acc[i * EACH + j] += dot4I8Packed(four, column[j]);
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
                let scale = scale_a[batch * params.m + row] * scale_b[batch * params.n + col];
                emit((batch * params.m + row) * params.n + col, f32(acc[i * EACH + j]) * scale);
            }
        }
    }
}
