// y_i = sum of (a_i . b_j) c_j over the keys j that query i sees, in blocks of TILE positions with a running sum of
// b_j c_j, the state, between them. Positions have times: key j is at j, query i at i + offset, and a query sees the
// keys up to its time. Flag `reverse` counts queries and keys from their ends.
//
// A workgroup takes TILE columns of one batch through a span of positions, for SLICE features; flag `more` adds to
// what other features gave. Long sequences are several spans: `states` gives the state that each adds, `starts` turns
// these into what each begins with, `started` begins there.
#import shared/grid

const THREADS: u32 = 256u;
// positions of a block and columns of a tile: TILE * TILE threads
const TILE: u32 = 16u;
const SLICE: u32 = 64u;
// a row of features and one word, so that a column's words lie in different banks
const PITCH: u32 = 65u;

struct Params {
    batches: u32,
    // queries, keys, features, columns
    n: u32,
    m: u32,
    d: u32,
    e: u32,
    // the first feature of this slice
    first: u32,
    // the time of the first position, and of query 0
    begin: i32,
    offset: i32,
    // positions, those of a span (a multiple of TILE), and spans
    positions: u32,
    span: u32,
    spans: u32,
    pad0: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
#if starts
@group(0) @binding(1) var<storage, read> totals: array<f32>;
@group(0) @binding(2) var<storage, read_write> begins: array<f32>;
#else
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read> c: array<f32>;
#if states
@group(0) @binding(3) var<storage, read_write> totals: array<f32>;
#else
@group(0) @binding(3) var<storage, read> a: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;
#if started
@group(0) @binding(5) var<storage, read> begins: array<f32>;
#endif
#endif
#endif

#if starts
@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
    let id = linear_group(wid, groups) * THREADS + local;
    let size = params.d * params.e;
    if id >= params.batches * size {
        return;
    }
    var sum = 0.0;
    for (var span = 0u; span < params.spans; span++) {
        let at = (id / size * params.spans + span) * size + id % size;
        begins[at] = sum;
        sum += totals[at];
    }
}
#else
var<workgroup> state: array<f32, SLICE * TILE>;
var<workgroup> keys: array<f32, TILE * PITCH>;
var<workgroup> values: array<f32, TILE * TILE>;
#if states
#else
var<workgroup> queries: array<f32, TILE * PITCH>;
var<workgroup> scores: array<f32, TILE * TILE>;
#endif

// The row of the k-th of n; n where there is none.
fn row(k: i32, n: u32) -> u32 {
    if k < 0 || k >= i32(n) {
        return n;
    }
#if reverse
    return n - 1u - u32(k);
#else
    return u32(k);
#endif
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
    let group = linear_group(wid, groups);
    let tiles = (params.e + TILE - 1u) / TILE;
    if group >= params.batches * params.spans * tiles {
        return;
    }
    let span = group / tiles % params.spans;
    let batch = group / tiles / params.spans;
    let width = min(SLICE, params.d - params.first);
    // A thread's position in a block, and its column.
    let r = local / TILE;
    let s = local % TILE;
    let column = group % tiles * TILE + s;
    let inside = column < params.e;
    let begin = ((batch * params.spans + span) * params.d + params.first) * params.e + column;

    for (var f = r; f < width; f += TILE) {
        var value = 0.0;
#if started
        if inside {
            value = begins[begin + f * params.e];
        }
#endif
        state[f * TILE + s] = value;
    }
    let last = min((span + 1u) * params.span, params.positions);
    for (var position = span * params.span; position < last; position += TILE) {
        let time = params.begin + i32(position + r);
        let key = row(time, params.m);
        for (var f = s; f < width; f += TILE) {
            var value = 0.0;
            if key < params.m {
                value = b[(batch * params.m + key) * params.d + params.first + f];
            }
            keys[r * PITCH + f] = value;
        }
        var value = 0.0;
        if key < params.m && inside {
            value = c[(batch * params.m + key) * params.e + column];
        }
        values[local] = value;
#if states
        workgroupBarrier();
#else
        let query = row(time - params.offset, params.n);
        for (var f = s; f < width; f += TILE) {
            var element = 0.0;
            if query < params.n {
                element = a[(batch * params.n + query) * params.d + params.first + f];
            }
            queries[r * PITCH + f] = element;
        }
        workgroupBarrier();
        if s <= r {
            var score = 0.0;
            for (var f = 0u; f < width; f++) {
                score += queries[r * PITCH + f] * keys[s * PITCH + f];
            }
            scores[local] = score;
        }
        workgroupBarrier();
        if query < params.n && inside {
            var sum = 0.0;
            for (var f = 0u; f < width; f++) {
                sum += queries[r * PITCH + f] * state[f * TILE + s];
            }
            // No further than its own time: what lies behind may be infinite.
            for (var k = 0u; k <= r; k++) {
                sum += scores[r * TILE + k] * values[k * TILE + s];
            }
            let at = (batch * params.n + query) * params.e + column;
#if more
            y[at] += sum;
#else
            y[at] = sum;
#endif
        }
        workgroupBarrier();
#endif
        for (var f = r; f < width; f += TILE) {
            var sum = 0.0;
            for (var k = 0u; k < TILE; k++) {
                sum += keys[k * PITCH + f] * values[k * TILE + s];
            }
            state[f * TILE + s] += sum;
        }
        workgroupBarrier();
    }
#if states
    if inside {
        for (var f = r; f < width; f += TILE) {
            totals[begin + f * params.e] = state[f * TILE + s];
        }
    }
#endif
}
#endif
