// What `conv2d/tiled` stages: blocks of 4 x 4 of both operands, read into registers and left in workgroup memory.
#import conv2d/places

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
// A thread has at most one block of a and two of b, these of the same columns: VECTORS_B divides THREADS.
const BLOCKS_A: u32 = VECTORS_A * STEPS;
const BLOCKS_B: u32 = VECTORS_B * STEPS;

var<workgroup> tile_a: array<vec4<f32>, DEPTH * VECTORS_A>;
var<workgroup> tile_b: array<vec4<f32>, DEPTH * VECTORS_B>;
var<workgroup> table: array<vec4<u32>, DEPTH>;

// The column of the tile in which a vector of a lies; turned by the step, so that threads that write one column of
// vectors write to different banks.
fn bank(vector: u32, step: u32) -> u32 {
    return vector ^ (step * 2u % min(VECTORS_A, 8u));
}

// Four indices of k of a row of a.
fn four_a(rows: vec2<u32>, row: u32, step: u32, k: u32, end: u32) -> vec4<f32> {
    let base = rows.x + min(row, params.product.x - 1u) * rows.y;
#if vectors
    return select(vec4<f32>(), second[(base + table[step * 4u].w) / 4u], row < params.product.x && k < end);
#else
    let inside = vec4<u32>(k) + vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(select(0u, end, row < params.product.x));
    let values = vec4<f32>(second[base + table[step * 4u].w], second[base + table[step * 4u + 1u].w],
        second[base + table[step * 4u + 2u].w], second[base + table[step * 4u + 3u].w]);
    return select(vec4<f32>(), values, inside);
#endif
}

fn block_a(e: u32, rows: vec2<u32>, row0: u32, k0: u32, end: u32) -> mat4x4<f32> {
    if e >= BLOCKS_A {
        return mat4x4<f32>();
    }
    let row = row0 + e / STEPS;
    let step = e % STEPS;
    let k = k0 + step * 4u;
    return transpose(mat4x4<f32>(four_a(rows, row, step, k, end), four_a(rows, row + VECTORS_A, step, k, end),
        four_a(rows, row + VECTORS_A * 2u, step, k, end), four_a(rows, row + VECTORS_A * 3u, step, k, end)));
}

// The columns that a thread reads.
struct Columns {
    c0: vec3<u32>,
    c1: vec3<u32>,
    c2: vec3<u32>,
    c3: vec3<u32>,
}

fn four_b(columns: Columns, index: u32) -> vec4<f32> {
    let at = table[index].xyz;
    return vec4<f32>(b_at(columns.c0 + at), b_at(columns.c1 + at), b_at(columns.c2 + at), b_at(columns.c3 + at));
}

fn block_b(e: u32, columns: Columns) -> mat4x4<f32> {
    if e >= BLOCKS_B {
        return mat4x4<f32>();
    }
    let index = e / VECTORS_B * 4u;
    return mat4x4<f32>(four_b(columns, index), four_b(columns, index + 1u),
        four_b(columns, index + 2u), four_b(columns, index + 3u));
}

fn leave_a(e: u32, block: mat4x4<f32>) {
    if e < BLOCKS_A {
        let step = e % STEPS;
        let to = step * 4u * VECTORS_A + bank(e / STEPS, step);
        tile_a[to] = block[0];
        tile_a[to + VECTORS_A] = block[1];
        tile_a[to + VECTORS_A * 2u] = block[2];
        tile_a[to + VECTORS_A * 3u] = block[3];
    }
}

fn leave_b(e: u32, block: mat4x4<f32>) {
    if e < BLOCKS_B {
        let to = e / VECTORS_B * 4u * VECTORS_B + e % VECTORS_B;
        tile_b[to] = block[0];
        tile_b[to + VECTORS_B] = block[1];
        tile_b[to + VECTORS_B * 2u] = block[2];
        tile_b[to + VECTORS_B * 3u] = block[3];
    }
}
