// What the products by cooperative matrices share: c[b, m, n] = sum_k a[b, m, k] b[b, k, n], operands in f16, sums in f32.
//
// Four subgroups make a tile of SIDE x SIDE outputs, each a quarter of BLOCK x BLOCK matrices of SIZE x SIZE. The sum runs
// over K in steps of DEPTH staged in workgroup memory, with zeros beyond the edges. A workgroup has four times the threads of
// the largest subgroup: where subgroups turn out smaller there are more of them than four, and the others only stage.
//
// Lines of the operands as they lie in memory stay lines in workgroup memory, so that neighbouring threads read neighbouring
// elements: rows of a, or columns of it (flag `a_by_columns`); rows of b, or its columns (flag `b_by_columns`).
// Flags `a_vectors`, `b_vectors`: lines are read four elements at a time; their lengths and places are multiples of four.
//
// A dispatch takes a range of K only, in one part or in several that lie one behind the other in c and are added
// afterwards. Flag `accumulate`: the range is added to what c holds.
enable f16;
enable wgpu_cooperative_matrix;
// naga wants products of matrices where it can see that control is uniform, and sees neither that `subgroup_id` is one for
// the subgroup nor that a function of uniform numbers is uniform. Under this rule it looks.
diagnostic(off, derivative_uniformity);
#import matmul/params
#import shared/grid

const SIZE: u32 = 8u;
const BLOCK: u32 = 2u;
const THREADS: u32 = 32u;
const DEPTH: u32 = 32u;
const SIDE: u32 = 2u * BLOCK * SIZE;
// Elements that a line in workgroup memory is longer than needed: 16 bytes, so that lines begin in different banks and are
// aligned as the loads of matrices want them.
const PAD: u32 = 8u;
#if a_by_columns
const LINE_A: u32 = SIDE;
const LINES_A: u32 = DEPTH;
#else
const LINE_A: u32 = DEPTH;
const LINES_A: u32 = SIDE;
#endif
#if b_by_columns
const LINE_B: u32 = DEPTH;
const LINES_B: u32 = SIDE;
#else
const LINE_B: u32 = SIDE;
const LINES_B: u32 = DEPTH;
#endif
const STRIDE_A: u32 = LINE_A + PAD;
const STRIDE_B: u32 = LINE_B + PAD;
const PATCH: u32 = SIZE * SIZE;

alias MatrixA = coop_mat8x8<f16, A>;
alias MatrixB = coop_mat8x8<f16, B>;
alias MatrixC = coop_mat8x8<f32, C>;

#if a_vectors
@group(0) @binding(1) var<storage, read> a: array<vec4<f16>>;
#else
@group(0) @binding(1) var<storage, read> a: array<f16>;
#endif
#if b_vectors
@group(0) @binding(2) var<storage, read> b: array<vec4<f16>>;
#else
@group(0) @binding(2) var<storage, read> b: array<f16>;
#endif
// Fused steps may take the place of this function, with what they bind.
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

var<workgroup> tile_a: array<f16, LINES_A * STRIDE_A>;
var<workgroup> tile_b: array<f16, LINES_B * STRIDE_B>;
var<workgroup> patches: array<f32, 4u * PATCH>;

// What a workgroup makes.
struct Task {
    // the row of c where its matrix begins, over m: the part and the batch in one number
    matrix: u32,
    // the tile's first row and column
    row: u32,
    col: u32,
    // the range of K
    first: u32,
    last: u32,
    // where the matrices begin in the operands
    at_a: u32,
    at_b: u32,
}

fn tiles_across() -> u32 {
    return (params.n + SIDE - 1u) / SIDE;
}

fn tiles() -> u32 {
    return tiles_across() * ((params.m + SIDE - 1u) / SIDE);
}

fn task_of(group: u32) -> Task {
    var task: Task;
    task.matrix = group / tiles();
    let tile = group % tiles();
    task.row = (tile / tiles_across()) * SIDE;
    task.col = (tile % tiles_across()) * SIDE;
    task.first = params.range.x + (task.matrix / params.batches) * params.range.z;
    task.last = min(task.first + params.range.z, params.range.y);
    task.at_a = params.a.x;
    task.at_b = params.b.x;
    var rest = task.matrix % params.batches;
    for (var d = 0u; d < 4u; d++) {
        let i = rest % params.batch[3u - d];
        rest = rest / params.batch[3u - d];
        task.at_a += i * params.batch_a[3u - d];
        task.at_b += i * params.batch_b[3u - d];
    }
    return task;
}

// Stages the operands' next DEPTH indices of K.
fn stage(task: Task, k0: u32, local: u32) {
#if a_vectors
    for (var e = local; e < LINES_A * LINE_A / 4u; e += THREADS) {
        let line = e / (LINE_A / 4u);
        let along = e % (LINE_A / 4u) * 4u;
#else
    for (var e = local; e < LINES_A * LINE_A; e += THREADS) {
        let line = e / LINE_A;
        let along = e % LINE_A;
#endif
#if a_by_columns
        let row = task.row + along;
        let k = k0 + line;
#else
        let row = task.row + line;
        let k = k0 + along;
#endif
        let inside = row < params.m && k < task.last;
        let from_a = task.at_a + row * params.a.y + k * params.a.z;
#if a_vectors
        var value = vec4<f16>();
        if inside {
            value = a[from_a / 4u];
        }
        let to = line * STRIDE_A + along;
        tile_a[to] = value.x;
        tile_a[to + 1u] = value.y;
        tile_a[to + 2u] = value.z;
        tile_a[to + 3u] = value.w;
#else
        var value = 0.0h;
        if inside {
            value = a[from_a];
        }
        tile_a[line * STRIDE_A + along] = value;
#endif
    }
#if b_vectors
    for (var e = local; e < LINES_B * LINE_B / 4u; e += THREADS) {
        let line = e / (LINE_B / 4u);
        let along = e % (LINE_B / 4u) * 4u;
#else
    for (var e = local; e < LINES_B * LINE_B; e += THREADS) {
        let line = e / LINE_B;
        let along = e % LINE_B;
#endif
#if b_by_columns
        let k = k0 + along;
        let col = task.col + line;
#else
        let k = k0 + line;
        let col = task.col + along;
#endif
        let inside = col < params.n && k < task.last;
        let from_b = task.at_b + k * params.b.y + col * params.b.z;
#if b_vectors
        var value = vec4<f16>();
        if inside {
            value = b[from_b / 4u];
        }
        let to = line * STRIDE_B + along;
        tile_b[to] = value.x;
        tile_b[to + 1u] = value.y;
        tile_b[to + 2u] = value.z;
        tile_b[to + 3u] = value.w;
#else
        var value = 0.0h;
        if inside {
            value = b[from_b];
        }
        tile_b[line * STRIDE_B + along] = value;
#endif
    }
}

// Where row i, column k of the staged part of a lies, in matrices from the subgroup's block on.
fn place_a(subgroup: u32, i: u32, k: u32) -> u32 {
    let row = ((subgroup / 2u) * BLOCK + i) * SIZE;
#if a_by_columns
    return k * STRIDE_A + row;
#else
    return row * STRIDE_A + k;
#endif
}

fn place_b(subgroup: u32, k: u32, j: u32) -> u32 {
    let col = ((subgroup % 2u) * BLOCK + j) * SIZE;
#if b_by_columns
    return col * STRIDE_B + k;
#else
    return k * STRIDE_B + col;
#endif
}

// Stores matrix i, j of each subgroup's block out of the patches.
fn flush(task: Task, i: u32, j: u32, local: u32) {
    workgroupBarrier();
    for (var e = local; e < 4u * PATCH; e += THREADS) {
        let subgroup = e / PATCH;
        let row = task.row + ((subgroup / 2u) * BLOCK + i) * SIZE + e % PATCH / SIZE;
        let col = task.col + ((subgroup % 2u) * BLOCK + j) * SIZE + e % SIZE;
        if row < params.m && col < params.n {
            emit((task.matrix * params.m + row) * params.n + col, patches[e]);
        }
    }
    workgroupBarrier();
}
