// c[b, m, n] = sum_k a[b, m, k] b[b, k, n], both operands through any strides, in registers.
//
// A workgroup of DOWN x ACROSS threads makes a tile of outputs; each thread 4 x 4 of them, or 8 in a direction (flags
// `rows8`, `cols8`), as vectors along the columns. The sum runs over K in steps of DEPTH staged in workgroup memory: a
// thread reads blocks of 4 x 4 into registers while the step before is computed, and leaves them there as vectors along
// the tile, turned round where the operand lies along K.
//
// Elements beyond an edge are zeros in the tile, so that all tiles are computed alike.
// Ranges and parts of K, `accumulate` and `sums`: as in `matmul`.
#import shared/grid
#import matmul/operands

const DOWN: u32 = 8u;
const ACROSS: u32 = 8u;
const DEPTH: u32 = 16u;
const THREADS: u32 = DOWN * ACROSS;
#if rows8
const VECTORS_A: u32 = DOWN * 2u;
#else
const VECTORS_A: u32 = DOWN;
#endif
#if cols8
const VECTORS_B: u32 = ACROSS * 2u;
#else
const VECTORS_B: u32 = ACROSS;
#endif
const TILE_M: u32 = VECTORS_A * 4u;
const TILE_N: u32 = VECTORS_B * 4u;
const STEPS: u32 = DEPTH / 4u;
const BLOCKS_A: u32 = VECTORS_A * STEPS;
const BLOCKS: u32 = BLOCKS_A + VECTORS_B * STEPS;

var<workgroup> tile_a: array<vec4<f32>, DEPTH * VECTORS_A>;
var<workgroup> tile_b: array<vec4<f32>, DEPTH * VECTORS_B>;

// Where a block lies: vector and step of its tile.
fn place_a(e: u32) -> vec2<u32> {
#if a_along_k
    return vec2(e / STEPS, e % STEPS);
#else
    return vec2(e % VECTORS_A, e / VECTORS_A);
#endif
}

fn place_b(e: u32) -> vec2<u32> {
#if b_along_k
    return vec2(e / STEPS, e % STEPS);
#else
    return vec2(e % VECTORS_B, e / VECTORS_B);
#endif
}

// The column of the tile in which a vector lies; turned by the step, so that threads that write one column of vectors
// write to different banks.
fn bank(vector: u32, step: u32) -> u32 {
    return vector ^ (step % 4u * 2u);
}

fn fetch(e: u32, tile: Tile, k0: u32) -> mat4x4<f32> {
    if e < BLOCKS_A {
        let at = place_a(e);
        return block_a(tile.at_a, tile.row + at.x * 4u, k0 + at.y * 4u, tile.last);
    }
    if e < BLOCKS {
        let at = place_b(e - BLOCKS_A);
        return block_b(tile.at_b, tile.column + at.x * 4u, k0 + at.y * 4u, tile.last);
    }
    return mat4x4<f32>();
}

fn leave(e: u32, block: mat4x4<f32>) {
    if e < BLOCKS_A {
        let at = place_a(e);
        let to = at.y * 4u * VECTORS_A + bank(at.x, at.y);
        tile_a[to] = block[0];
        tile_a[to + VECTORS_A] = block[1];
        tile_a[to + VECTORS_A * 2u] = block[2];
        tile_a[to + VECTORS_A * 3u] = block[3];
    } else if e < BLOCKS {
        let at = place_b(e - BLOCKS_A);
        let to = at.y * 4u * VECTORS_B + bank(at.x, at.y);
        tile_b[to] = block[0];
        tile_b[to + VECTORS_B] = block[1];
        tile_b[to + VECTORS_B * 2u] = block[2];
        tile_b[to + VECTORS_B * 3u] = block[3];
    }
}

// The elements of a row from a column on, `at` where the row begins.
fn store(at: u32, column: u32, values: vec4<f32>) {
#if epilogue
    store_each(at, column, values);
#else
#if c_vectors
    if column < params.n {
        c[(at + column) / 4u] = values;
    }
#else
    store_each(at, column, values);
#endif
#endif
}

@compute @workgroup_size(ACROSS, DOWN)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_id) id: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let group = linear_group(wid, groups);
    let across = (params.n + TILE_N - 1u) / TILE_N;
    let tiles = across * ((params.m + TILE_M - 1u) / TILE_M);
    if group >= tiles * params.batches * params.range.w {
        return;
    }
    // The part and the batch in one number: the row of c where this matrix begins, over m.
    let matrix = group / tiles;
    let in_matrix = group % tiles;
    let tile = tile_of(matrix, in_matrix / across * TILE_M, in_matrix % across * TILE_N);
    var c0 = vec4<f32>(); var c1 = vec4<f32>(); var c2 = vec4<f32>(); var c3 = vec4<f32>();
    var c4 = vec4<f32>(); var c5 = vec4<f32>(); var c6 = vec4<f32>(); var c7 = vec4<f32>();
    var d0 = vec4<f32>(); var d1 = vec4<f32>(); var d2 = vec4<f32>(); var d3 = vec4<f32>();
    var d4 = vec4<f32>(); var d5 = vec4<f32>(); var d6 = vec4<f32>(); var d7 = vec4<f32>();
#if sums
    var sum = vec4<f32>();
#endif
    var next0 = mat4x4<f32>();
    var next1 = mat4x4<f32>();
    var next2 = mat4x4<f32>();
    if tile.first < tile.last {
        next0 = fetch(local, tile, tile.first);
        if BLOCKS > THREADS { next1 = fetch(local + THREADS, tile, tile.first); }
        if BLOCKS > 2u * THREADS { next2 = fetch(local + 2u * THREADS, tile, tile.first); }
    }
    for (var k0 = tile.first; k0 < tile.last; k0 += DEPTH) {
        leave(local, next0);
        if BLOCKS > THREADS { leave(local + THREADS, next1); }
        if BLOCKS > 2u * THREADS { leave(local + 2u * THREADS, next2); }
        workgroupBarrier();
        if k0 + DEPTH < tile.last {
            next0 = fetch(local, tile, k0 + DEPTH);
            if BLOCKS > THREADS { next1 = fetch(local + THREADS, tile, k0 + DEPTH); }
            if BLOCKS > 2u * THREADS { next2 = fetch(local + 2u * THREADS, tile, k0 + DEPTH); }
        }
#if sums_a
        if tile.column == 0u && local < VECTORS_A {
            var part = vec4<f32>();
            for (var k = 0u; k < DEPTH; k++) {
                part += tile_a[k * VECTORS_A + bank(local, k / 4u)];
            }
            sum += part;
        }
#endif
#if sums_b
        if tile.row == 0u && local < VECTORS_B {
            var part = vec4<f32>();
            for (var k = 0u; k < DEPTH; k++) {
                part += tile_b[k * VECTORS_B + bank(local, k / 4u)];
            }
            sum += part;
        }
#endif
        for (var k = 0u; k < DEPTH; k++) {
            let a = tile_a[k * VECTORS_A + bank(id.y, k / 4u)];
            let b = tile_b[k * VECTORS_B + bank(id.x, k / 4u)];
            c0 = fma(a.xxxx, b, c0);
            c1 = fma(a.yyyy, b, c1);
            c2 = fma(a.zzzz, b, c2);
            c3 = fma(a.wwww, b, c3);
#if cols8
            let right = tile_b[k * VECTORS_B + bank(id.x + ACROSS, k / 4u)];
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
        workgroupBarrier();
    }
    // A copy: the vectors above stay in registers, this one is indexed.
    var results = array(c0, d0, c1, d1, c2, d2, c3, d3, c4, d4, c5, d5, c6, d6, c7, d7);
    let column = tile.column + id.x * 4u;
#if rows8
    for (var i = 0u; i < 8u; i++) {
#else
    for (var i = 0u; i < 4u; i++) {
#endif
        let row = tile.row + (id.y + i / 4u * DOWN) * 4u + i % 4u;
        if row < params.m {
            let at = (matrix * params.m + row) * params.n;
            store(at, column, results[i * 2u]);
#if cols8
            store(at, column + ACROSS * 4u, results[i * 2u + 1u]);
#endif
        }
    }
#if sums_a
    if tile.column == 0u && local < VECTORS_A {
        for (var i = 0u; i < 4u; i++) {
            if tile.row + local * 4u + i < params.m {
                add_sum(matrix * params.m + tile.row + local * 4u + i, sum[i]);
            }
        }
    }
#endif
#if sums_b
    if tile.row == 0u && local < VECTORS_B {
        for (var i = 0u; i < 4u; i++) {
            if tile.column + local * 4u + i < params.n {
                add_sum(matrix * params.n + tile.column + local * 4u + i, sum[i]);
            }
        }
    }
#endif
}
