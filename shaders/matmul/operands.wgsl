// The operands and the result of a product in registers: what `matmul/tiled` reads and stores, in fours.
// Fused steps may take the place of `load_a`, `load_b` and `emit`, with what they bind.
//
// `a_along_k`, `b_along_k`: neighbours in memory are neighbours along K, and fours are read so; otherwise along the rows of
// a, the columns of b. `a_vectors`, `b_vectors`, `c_vectors`: sizes, strides and offsets are in fours, and memory is read
// or written as vectors.

#import matmul/params

#if load_a
fn load_a4(at: u32) -> vec4<f32> {
    return vec4(load_a(at), load_a(at + 1u), load_a(at + 2u), load_a(at + 3u));
}
#else
#if a_vectors
@group(0) @binding(1) var<storage, read> a: array<vec4<f32>>;

fn load_a4(at: u32) -> vec4<f32> {
    return a[at / 4u];
}
#else
@group(0) @binding(1) var<storage, read> a: array<f32>;

fn load_a(at: u32) -> f32 {
    return a[at];
}
#endif
#endif

#if load_b
fn load_b4(at: u32) -> vec4<f32> {
    return vec4(load_b(at), load_b(at + 1u), load_b(at + 2u), load_b(at + 3u));
}
#else
#if b_vectors
@group(0) @binding(2) var<storage, read> b: array<vec4<f32>>;

fn load_b4(at: u32) -> vec4<f32> {
    return b[at / 4u];
}
#else
@group(0) @binding(2) var<storage, read> b: array<f32>;

fn load_b(at: u32) -> f32 {
    return b[at];
}
#endif
#endif

#if !epilogue
#if c_vectors
@group(0) @binding(3) var<storage, read_write> c: array<vec4<f32>>;

// Never called: the name is there for `store_each`.
fn emit(at: u32, value: f32) {
    c[at / 4u][at % 4u] = value;
}
#else
@group(0) @binding(3) var<storage, read_write> c: array<f32>;

fn emit(at: u32, value: f32) {
#if accumulate
    c[at] += value;
#else
    c[at] = value;
#endif
}
#endif
#endif

// The elements of a row from a column on, one by one.
fn store_each(at: u32, column: u32, values: vec4<f32>) {
    for (var j = 0u; j < 4u; j++) {
        if column + j < params.n {
            emit(at + column + j, values[j]);
        }
    }
}

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

// A tile of outputs: its first row and column, where its operands begin, its range of K.
struct Tile {
    row: u32,
    column: u32,
    at_a: u32,
    at_b: u32,
    first: u32,
    last: u32,
}

// `matrix` counts batches, then parts of K.
fn tile_of(matrix: u32, row: u32, column: u32) -> Tile {
    var rest = matrix % params.batches;
    var at_a = params.a.x;
    var at_b = params.b.x;
    for (var d = 0u; d < 4u; d++) {
        let i = rest % params.batch[3u - d];
        rest = rest / params.batch[3u - d];
        at_a += i * params.batch_a[3u - d];
        at_b += i * params.batch_b[3u - d];
    }
    let first = params.range.x + (matrix / params.batches) * params.range.z;
    return Tile(row, column, at_a, at_b, first, min(first + params.range.z, params.range.y));
}

#if a_vectors
// Four elements from (row, k) on, along the direction in which a lies. Beyond an edge they are zeros; vectors are
// inside or outside as a whole.
fn four_a(base: u32, row: u32, k: u32, last: u32) -> vec4<f32> {
    let at = base + min(row, params.m - 1u) * params.a.y + min(k, last - 1u) * params.a.z;
    return select(vec4<f32>(), load_a4(at / 4u * 4u), row < params.m && k < last);
}
#else
fn one_a(base: u32, row: u32, k: u32, last: u32) -> f32 {
    let at = base + min(row, params.m - 1u) * params.a.y + min(k, last - 1u) * params.a.z;
    return select(0.0, load_a(at), row < params.m && k < last);
}

fn four_a(base: u32, row: u32, k: u32, last: u32) -> vec4<f32> {
#if a_along_k
    return vec4(one_a(base, row, k, last), one_a(base, row, k + 1u, last),
        one_a(base, row, k + 2u, last), one_a(base, row, k + 3u, last));
#else
    return vec4(one_a(base, row, k, last), one_a(base, row + 1u, k, last),
        one_a(base, row + 2u, k, last), one_a(base, row + 3u, k, last));
#endif
}
#endif

#if b_vectors
fn four_b(base: u32, k: u32, column: u32, last: u32) -> vec4<f32> {
    let at = base + min(k, last - 1u) * params.b.y + min(column, params.n - 1u) * params.b.z;
    return select(vec4<f32>(), load_b4(at / 4u * 4u), column < params.n && k < last);
}
#else
fn one_b(base: u32, k: u32, column: u32, last: u32) -> f32 {
    let at = base + min(k, last - 1u) * params.b.y + min(column, params.n - 1u) * params.b.z;
    return select(0.0, load_b(at), column < params.n && k < last);
}

fn four_b(base: u32, k: u32, column: u32, last: u32) -> vec4<f32> {
#if b_along_k
    return vec4(one_b(base, k, column, last), one_b(base, k + 1u, column, last),
        one_b(base, k + 2u, column, last), one_b(base, k + 3u, column, last));
#else
    return vec4(one_b(base, k, column, last), one_b(base, k, column + 1u, last),
        one_b(base, k, column + 2u, last), one_b(base, k, column + 3u, last));
#endif
}
#endif

// Four rows of a at four indices of K, as vectors along the rows, one an index.
fn block_a(base: u32, row: u32, k: u32, last: u32) -> mat4x4<f32> {
#if a_along_k
    return transpose(mat4x4(four_a(base, row, k, last), four_a(base, row + 1u, k, last),
        four_a(base, row + 2u, k, last), four_a(base, row + 3u, k, last)));
#else
    return mat4x4(four_a(base, row, k, last), four_a(base, row, k + 1u, last),
        four_a(base, row, k + 2u, last), four_a(base, row, k + 3u, last));
#endif
}

// Four columns of b at four indices of K, as vectors along the columns, one an index.
fn block_b(base: u32, column: u32, k: u32, last: u32) -> mat4x4<f32> {
#if b_along_k
    return transpose(mat4x4(four_b(base, k, column, last), four_b(base, k, column + 1u, last),
        four_b(base, k, column + 2u, last), four_b(base, k, column + 3u, last)));
#else
    return mat4x4(four_b(base, k, column, last), four_b(base, k + 1u, column, last),
        four_b(base, k + 2u, column, last), four_b(base, k + 3u, column, last));
#endif
}
