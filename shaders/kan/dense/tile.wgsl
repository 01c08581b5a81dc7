// y[b, o] = sum_i u[b, i] (sum_m C[i, m, o] phi_m(x[b, i]) + W[i, o] silu(x[b, i])), any derivative of both, in registers.
//
// A product of matrices as `matmul/tiled` makes it, whose left one is made on the way: a workgroup of DOWN x ACROSS threads
// makes a tile of outputs, each thread 8 x 8 of them. DEPTH inputs and HELD of their functions at a time lie in workgroup
// memory (silu counts as the last function), as do their coefficients. `fours`: the number of outputs is a multiple of 4,
// and coefficients are read as vectors. Parts, each over `span` inputs, are added up by kan/add_parts.
#import shared/grid
#import kan/dense/functions

const DEPTH: u32 = 4u;
const DOWN: u32 = 8u;
const ACROSS: u32 = 8u;
const THREADS: u32 = DOWN * ACROSS;
const ROWS: u32 = DOWN * 8u;
const FEATURES: u32 = HELD * DEPTH;
// Vectors of a row of the tile.
const VECTORS: u32 = ACROSS * 2u;
const_assert FEATURES * ROWS <= PHI;

#if fours
@group(0) @binding(2) var<storage, read> coef: array<vec4<f32>>;
#else
@group(0) @binding(2) var<storage, read> coef: array<f32>;
#endif
// Fused steps may take the place of this function, with what it binds.
#if !epilogue
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

fn emit(at: u32, value: f32) {
    y[at] = value;
}
#endif
#if base
#if fours
@group(0) @binding(4) var<storage, read> base: array<vec4<f32>>;
#else
@group(0) @binding(4) var<storage, read> base: array<f32>;
#endif
#endif

var<workgroup> weights: array<vec4<f32>, FEATURES * VECTORS>;

// Four coefficients of function m of input i; 0 where there are none.
fn coefficients(i: u32, m: u32, o: u32, last: u32) -> vec4<f32> {
    var four = vec4<f32>();
    if i >= last || o >= params.outputs {
        return four;
    }
#if fours
    if m < params.bases {
        four = coef[((i * params.bases + m) * params.outputs + o) / 4u];
    }
#if base
    if m == params.bases {
        four = base[(i * params.outputs + o) / 4u];
    }
#endif
#else
    for (var j = 0u; j < min(4u, params.outputs - o); j++) {
        if m < params.bases {
            four[j] = coef[(i * params.bases + m) * params.outputs + o + j];
        }
#if base
        if m == params.bases {
            four[j] = base[i * params.outputs + o + j];
        }
#endif
    }
#endif
    return four;
}

// Stores what of four outputs there is.
fn store(part: u32, row: u32, o: u32, values: vec4<f32>) {
    for (var j = 0u; j < 4u; j++) {
        if o + j < params.outputs {
            emit((part * params.rows + row) * params.outputs + o + j, values[j]);
        }
    }
}

@compute @workgroup_size(ACROSS, DOWN)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_id) id: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let group = linear_group(wid, groups);
    let across = (params.outputs + 4u * VECTORS - 1u) / (4u * VECTORS);
    let down = (params.rows + ROWS - 1u) / ROWS;
    if group >= across * down * params.parts {
        return;
    }
    let part = group / (across * down);
    let tile = group % (across * down);
    let row0 = (tile / across) * ROWS;
    let o0 = (tile % across) * 4u * VECTORS;
    let begin = part * params.span;
    let last = min(begin + params.span, params.inputs);
    var functions = params.bases;
#if base
    functions += 1u;
#endif
    var c0 = vec4<f32>(); var c1 = vec4<f32>(); var c2 = vec4<f32>(); var c3 = vec4<f32>();
    var c4 = vec4<f32>(); var c5 = vec4<f32>(); var c6 = vec4<f32>(); var c7 = vec4<f32>();
    var d0 = vec4<f32>(); var d1 = vec4<f32>(); var d2 = vec4<f32>(); var d3 = vec4<f32>();
    var d4 = vec4<f32>(); var d5 = vec4<f32>(); var d6 = vec4<f32>(); var d7 = vec4<f32>();
    for (var i0 = begin; i0 < last; i0 += DEPTH) {
        for (var first = 0u; first < functions; first += HELD) {
            for (var point = local; point < ROWS * DEPTH; point += THREADS) {
                let d = point / ROWS;
                let row = row0 + point % ROWS;
                let inside = row < params.rows && i0 + d < last;
                evaluate(d * HELD * ROWS + point % ROWS, ROWS, row, i0 + d, first, inside);
            }
            for (var at = local; at < FEATURES * VECTORS; at += THREADS) {
                let f = at / VECTORS;
                weights[at] = coefficients(i0 + f / HELD, first + f % HELD, o0 + at % VECTORS * 4u, last);
            }
            workgroupBarrier();
            for (var f = 0u; f < FEATURES; f++) {
                let w = weights[f * VECTORS + id.x];
                let z = weights[f * VECTORS + id.x + ACROSS];
                let p = f * ROWS + id.y * 4u;
                let q = p + DOWN * 4u;
                let a = vec4<f32>(phi[p], phi[p + 1u], phi[p + 2u], phi[p + 3u]);
                c0 = fma(a.xxxx, w, c0); d0 = fma(a.xxxx, z, d0);
                c1 = fma(a.yyyy, w, c1); d1 = fma(a.yyyy, z, d1);
                c2 = fma(a.zzzz, w, c2); d2 = fma(a.zzzz, z, d2);
                c3 = fma(a.wwww, w, c3); d3 = fma(a.wwww, z, d3);
                let b = vec4<f32>(phi[q], phi[q + 1u], phi[q + 2u], phi[q + 3u]);
                c4 = fma(b.xxxx, w, c4); d4 = fma(b.xxxx, z, d4);
                c5 = fma(b.yyyy, w, c5); d5 = fma(b.yyyy, z, d5);
                c6 = fma(b.zzzz, w, c6); d6 = fma(b.zzzz, z, d6);
                c7 = fma(b.wwww, w, c7); d7 = fma(b.wwww, z, d7);
            }
            workgroupBarrier();
        }
    }
    // A copy: the vectors above stay in registers, this one is indexed.
    var results = array(c0, d0, c1, d1, c2, d2, c3, d3, c4, d4, c5, d5, c6, d6, c7, d7);
    for (var e = 0u; e < 8u; e++) {
        let row = row0 + (id.y + e / 4u * DOWN) * 4u + e % 4u;
        if row < params.rows {
            store(part, row, o0 + id.x * 4u, results[e * 2u]);
            store(part, row, o0 + (id.x + ACROSS) * 4u, results[e * 2u + 1u]);
        }
    }
}
