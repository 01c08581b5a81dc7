// y[b, o] = sum_i u[b, i] (sum_m C[i, m, o] phi_m(x[b, i]) + W[i, o] silu(x[b, i])), any derivative of both.
//
// A product of matrices whose left one is made on the way: DEPTH inputs and HELD of their functions at a time lie in
// workgroup memory (silu counts as the last function), as do their coefficients; a thread adds 4 rows x 4 outputs. Parts,
// each over `span` inputs, are added up by kan/add_parts.
#import shared/grid
#import kan/dense/functions

const DEPTH: u32 = 4u;
// Threads along the outputs.
const ACROSS: u32 = 16u;
const ROWS: u32 = 64u;
const THREADS: u32 = ACROSS * ROWS / 4u;
const FEATURES: u32 = HELD * DEPTH;
const_assert FEATURES * ROWS <= PHI;

@group(0) @binding(2) var<storage, read> coef: array<f32>;
// Fused steps may take the place of this function, with what it binds.
#if !epilogue
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

fn emit(at: u32, value: f32) {
    y[at] = value;
}
#endif
#if base
@group(0) @binding(4) var<storage, read> base: array<f32>;
#endif

var<workgroup> weights: array<vec4<f32>, FEATURES * ACROSS>;

// The coefficient of function m of input i; 0 where there is none.
fn coefficient(i: u32, m: u32, o: u32, last: u32) -> f32 {
    if i >= last || o >= params.outputs {
        return 0.0;
    }
    if m < params.bases {
        return coef[(i * params.bases + m) * params.outputs + o];
    }
#if base
    if m == params.bases {
        return base[i * params.outputs + o];
    }
#endif
    return 0.0;
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
    let group = linear_group(wid, groups);
    let across = (params.outputs + 4u * ACROSS - 1u) / (4u * ACROSS);
    let down = (params.rows + ROWS - 1u) / ROWS;
    if group >= across * down * params.parts {
        return;
    }
    let part = group / (across * down);
    let tile = group % (across * down);
    let row0 = (tile / across) * ROWS;
    let o0 = (tile % across) * 4u * ACROSS;
    let a = local % ACROSS;
    let r = (local / ACROSS) * 4u;
    let begin = part * params.span;
    let last = min(begin + params.span, params.inputs);
    var functions = params.bases;
#if base
    functions += 1u;
#endif
    var acc: array<vec4<f32>, 4>;
    for (var i0 = begin; i0 < last; i0 += DEPTH) {
        for (var first = 0u; first < functions; first += HELD) {
            for (var point = local; point < ROWS * DEPTH; point += THREADS) {
                let d = point / ROWS;
                let row = row0 + point % ROWS;
                let inside = row < params.rows && i0 + d < last;
                evaluate(d * HELD * ROWS + point % ROWS, ROWS, row, i0 + d, first, inside);
            }
            for (var at = local; at < FEATURES * ACROSS; at += THREADS) {
                let f = at / ACROSS;
                let i = i0 + f / HELD;
                let m = first + f % HELD;
                let o = o0 + (at % ACROSS) * 4u;
                weights[at] = vec4<f32>(coefficient(i, m, o, last), coefficient(i, m, o + 1u, last),
                    coefficient(i, m, o + 2u, last), coefficient(i, m, o + 3u, last));
            }
            workgroupBarrier();
            // Summed by themselves first: shorter chains, smaller rounding errors.
            var s0 = vec4<f32>();
            var s1 = vec4<f32>();
            var s2 = vec4<f32>();
            var s3 = vec4<f32>();
            for (var f = 0u; f < FEATURES; f++) {
                let w = weights[f * ACROSS + a];
                let p = f * ROWS + r;
                s0 = fma(vec4<f32>(phi[p]), w, s0);
                s1 = fma(vec4<f32>(phi[p + 1u]), w, s1);
                s2 = fma(vec4<f32>(phi[p + 2u]), w, s2);
                s3 = fma(vec4<f32>(phi[p + 3u]), w, s3);
            }
            acc[0] += s0;
            acc[1] += s1;
            acc[2] += s2;
            acc[3] += s3;
            workgroupBarrier();
        }
    }
    for (var e = 0u; e < 4u; e++) {
        for (var j = 0u; j < 4u; j++) {
            let row = row0 + r + e;
            let o = o0 + a * 4u + j;
            if row < params.rows && o < params.outputs {
                emit((part * params.rows + row) * params.outputs + o, acc[e][j]);
            }
        }
    }
}
