// P[i, m, o] = sum_b u[b, i] g[b, o] phi_m(x[b, i]) and Q[i, o] = sum_b u[b, i] g[b, o] silu(x[b, i]), any derivative.
//
// A product of matrices whose left one is made on the way: CHUNK rows at a time, HELD functions of DEPTH inputs (silu
// counts as the last function) and g lie in workgroup memory; a thread adds 4 functions x 4 outputs. Parts, each over
// `span` rows, are added up by kan/add_parts.
#import shared/grid
#import kan/dense/functions

const DEPTH: u32 = 4u;
// Threads along the outputs.
const ACROSS: u32 = 16u;
const CHUNK: u32 = 32u;
const FEATURES: u32 = HELD * DEPTH;
const QUADS: u32 = (FEATURES + 3u) / 4u;
const THREADS: u32 = QUADS * ACROSS;
const_assert CHUNK * QUADS * 4u <= PHI;

@group(0) @binding(2) var<storage, read> g: array<f32>;
@group(0) @binding(3) var<storage, read_write> dc: array<f32>;
#if base
@group(0) @binding(4) var<storage, read_write> dw: array<f32>;
#endif

var<workgroup> gs: array<vec4<f32>, CHUNK * ACROSS>;

fn cotangent(row: u32, o: u32, last: u32) -> f32 {
    if row < last && o < params.outputs {
        return g[row * params.outputs + o];
    }
    return 0.0;
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
    var functions = params.bases;
#if base
    functions += 1u;
#endif
    let group = linear_group(wid, groups);
    let across = (params.outputs + 4u * ACROSS - 1u) / (4u * ACROSS);
    let ranges = (functions + HELD - 1u) / HELD;
    let tiles = across * ranges * ((params.inputs + DEPTH - 1u) / DEPTH);
    if group >= tiles * params.parts {
        return;
    }
    let part = group / tiles;
    let tile = group % tiles;
    let o0 = (tile % across) * 4u * ACROSS;
    let first = (tile / across % ranges) * HELD;
    let i0 = tile / (across * ranges) * DEPTH;
    let begin = part * params.span;
    let last = min(begin + params.span, params.rows);
    let a = local % ACROSS;
    let q = local / ACROSS;
    var acc: array<vec4<f32>, 4>;
    for (var b0 = begin; b0 < last; b0 += CHUNK) {
        for (var point = local; point < CHUNK * DEPTH; point += THREADS) {
            let row = point % CHUNK;
            let d = point / CHUNK;
            let inside = b0 + row < last && i0 + d < params.inputs;
            evaluate(row * QUADS * 4u + d * HELD, 1u, b0 + row, i0 + d, first, inside);
        }
        for (var at = local; at < CHUNK * ACROSS; at += THREADS) {
            let row = b0 + at / ACROSS;
            let o = o0 + (at % ACROSS) * 4u;
            gs[at] = vec4<f32>(cotangent(row, o, last), cotangent(row, o + 1u, last),
                cotangent(row, o + 2u, last), cotangent(row, o + 3u, last));
        }
        workgroupBarrier();
        // Summed by themselves first: shorter chains, smaller rounding errors.
        var s0 = vec4<f32>();
        var s1 = vec4<f32>();
        var s2 = vec4<f32>();
        var s3 = vec4<f32>();
        for (var b = 0u; b < CHUNK; b++) {
            let d = gs[b * ACROSS + a];
            let p = (b * QUADS + q) * 4u;
            s0 = fma(vec4<f32>(phi[p]), d, s0);
            s1 = fma(vec4<f32>(phi[p + 1u]), d, s1);
            s2 = fma(vec4<f32>(phi[p + 2u]), d, s2);
            s3 = fma(vec4<f32>(phi[p + 3u]), d, s3);
        }
        acc[0] += s0;
        acc[1] += s1;
        acc[2] += s2;
        acc[3] += s3;
        workgroupBarrier();
    }
    for (var e = 0u; e < 4u; e++) {
        let f = q * 4u + e;
        let i = i0 + f / HELD;
        let m = first + f % HELD;
        if f >= FEATURES || i >= params.inputs {
            continue;
        }
        for (var j = 0u; j < 4u; j++) {
            let o = o0 + a * 4u + j;
            if o >= params.outputs {
                continue;
            }
            if m < params.bases {
                dc[((part * params.inputs + i) * params.bases + m) * params.outputs + o] = acc[e][j];
            }
#if base
            if m == params.bases {
                dw[(part * params.inputs + i) * params.outputs + o] = acc[e][j];
            }
#endif
        }
    }
}
