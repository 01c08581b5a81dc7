// P[i, m, o] = sum_b u[b, i] g[b, o] phi_m(x[b, i]) and Q[i, o] = sum_b u[b, i] g[b, o] silu(x[b, i]), any derivative, in
// registers.
//
// A product of matrices as `matmul/tiled` makes it, whose left one is made on the way, transposed: CHUNK rows at a time,
// HELD functions of DEPTH inputs (silu counts as the last function) and g lie in workgroup memory; a thread makes the sums of
// 8 functions x 8 outputs. `fours`: the number of outputs is a multiple of 4, and g is read as vectors. Parts, each over
// `span` rows, are added up by kan/add_parts.
#import shared/grid
#import kan/dense/functions

const DEPTH: u32 = 8u;
const DOWN: u32 = 8u;
const ACROSS: u32 = 8u;
const CHUNK: u32 = 16u;
const THREADS: u32 = DOWN * ACROSS;
const FEATURES: u32 = HELD * DEPTH;
// Vectors of a row of the tile.
const VECTORS: u32 = ACROSS * 2u;
// One word of padding keeps rows in different banks.
const PITCH: u32 = DOWN * 8u + 1u;
const_assert CHUNK * PITCH <= PHI;

#if fours
@group(0) @binding(2) var<storage, read> g: array<vec4<f32>>;
#else
@group(0) @binding(2) var<storage, read> g: array<f32>;
#endif
@group(0) @binding(3) var<storage, read_write> dc: array<f32>;
#if base
@group(0) @binding(4) var<storage, read_write> dw: array<f32>;
#endif

var<workgroup> gs: array<vec4<f32>, CHUNK * VECTORS>;

// Four elements of a row of g; 0 where there are none.
fn cotangents(row: u32, o: u32, last: u32) -> vec4<f32> {
    var four = vec4<f32>();
    if row < last && o < params.outputs {
#if fours
        four = g[(row * params.outputs + o) / 4u];
#else
        for (var j = 0u; j < min(4u, params.outputs - o); j++) {
            four[j] = g[row * params.outputs + o + j];
        }
#endif
    }
    return four;
}

// Stores what of four outputs of feature f there is.
fn store(part: u32, i0: u32, first: u32, f: u32, o: u32, values: vec4<f32>) {
    let i = i0 + f / HELD;
    let m = first + f % HELD;
    if f >= FEATURES || i >= params.inputs {
        return;
    }
    for (var j = 0u; j < 4u; j++) {
        if o + j < params.outputs {
            if m < params.bases {
                dc[((part * params.inputs + i) * params.bases + m) * params.outputs + o + j] = values[j];
            }
#if base
            if m == params.bases {
                dw[(part * params.inputs + i) * params.outputs + o + j] = values[j];
            }
#endif
        }
    }
}

@compute @workgroup_size(ACROSS, DOWN)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_id) id: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    var functions = params.bases;
#if base
    functions += 1u;
#endif
    let group = linear_group(wid, groups);
    let across = (params.outputs + 4u * VECTORS - 1u) / (4u * VECTORS);
    let ranges = (functions + HELD - 1u) / HELD;
    let tiles = across * ranges * ((params.inputs + DEPTH - 1u) / DEPTH);
    if group >= tiles * params.parts {
        return;
    }
    let part = group / tiles;
    let tile = group % tiles;
    let o0 = (tile % across) * 4u * VECTORS;
    let first = (tile / across % ranges) * HELD;
    let i0 = tile / (across * ranges) * DEPTH;
    let begin = part * params.span;
    let last = min(begin + params.span, params.rows);
    var c0 = vec4<f32>(); var c1 = vec4<f32>(); var c2 = vec4<f32>(); var c3 = vec4<f32>();
    var c4 = vec4<f32>(); var c5 = vec4<f32>(); var c6 = vec4<f32>(); var c7 = vec4<f32>();
    var d0 = vec4<f32>(); var d1 = vec4<f32>(); var d2 = vec4<f32>(); var d3 = vec4<f32>();
    var d4 = vec4<f32>(); var d5 = vec4<f32>(); var d6 = vec4<f32>(); var d7 = vec4<f32>();
    for (var b0 = begin; b0 < last; b0 += CHUNK) {
        for (var point = local; point < CHUNK * DEPTH; point += THREADS) {
            let row = point % CHUNK;
            let d = point / CHUNK;
            let inside = b0 + row < last && i0 + d < params.inputs;
            evaluate(row * PITCH + d * HELD, 1u, b0 + row, i0 + d, first, inside);
        }
        for (var at = local; at < CHUNK * VECTORS; at += THREADS) {
            gs[at] = cotangents(b0 + at / VECTORS, o0 + at % VECTORS * 4u, last);
        }
        workgroupBarrier();
        for (var b = 0u; b < CHUNK; b++) {
            let w = gs[b * VECTORS + id.x];
            let z = gs[b * VECTORS + id.x + ACROSS];
            let p = b * PITCH + id.y * 8u;
            let s = vec4<f32>(phi[p], phi[p + 1u], phi[p + 2u], phi[p + 3u]);
            c0 = fma(s.xxxx, w, c0); d0 = fma(s.xxxx, z, d0);
            c1 = fma(s.yyyy, w, c1); d1 = fma(s.yyyy, z, d1);
            c2 = fma(s.zzzz, w, c2); d2 = fma(s.zzzz, z, d2);
            c3 = fma(s.wwww, w, c3); d3 = fma(s.wwww, z, d3);
            let t = vec4<f32>(phi[p + 4u], phi[p + 5u], phi[p + 6u], phi[p + 7u]);
            c4 = fma(t.xxxx, w, c4); d4 = fma(t.xxxx, z, d4);
            c5 = fma(t.yyyy, w, c5); d5 = fma(t.yyyy, z, d5);
            c6 = fma(t.zzzz, w, c6); d6 = fma(t.zzzz, z, d6);
            c7 = fma(t.wwww, w, c7); d7 = fma(t.wwww, z, d7);
        }
        workgroupBarrier();
    }
    // A copy: the vectors above stay in registers, this one is indexed.
    var results = array(c0, d0, c1, d1, c2, d2, c3, d3, c4, d4, c5, d5, c6, d6, c7, d7);
    for (var e = 0u; e < 8u; e++) {
        store(part, i0, first, id.y * 8u + e, o0 + id.x * 4u, results[e * 2u]);
        store(part, i0, first, id.y * 8u + e, o0 + (id.x + ACROSS) * 4u, results[e * 2u + 1u]);
    }
}
