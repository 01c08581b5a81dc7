// v[b, i] = sum_m phi_m(x[b, i]) sum_o g[b, o] C[i, m, o] + silu(x[b, i]) sum_o g[b, o] W[i, o], any derivative of both.
//
// A thread makes the inner sums of 4 rows x 4 functions (silu counts as the last one) over CHUNK outputs at a time; they
// stay in workgroup memory, where a thread a point multiplies them with the functions that it evaluates.
#import shared/grid
#import kan/bases/any

const HELD: u32 = 8u;
const DEPTH: u32 = 4u;
const ROWS: u32 = 64u;
const CHUNK: u32 = 16u;
const FEATURES: u32 = HELD * DEPTH;
const QUADS: u32 = (FEATURES + 3u) / 4u;
const THREADS: u32 = QUADS * ROWS / 4u;
// One word of padding keeps rows in different banks.
const PITCH: u32 = ROWS + 1u;

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> g: array<f32>;
@group(0) @binding(3) var<storage, read> coef: array<f32>;
// Fused steps may take the place of this function, with what it binds.
#if !epilogue
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

fn emit(at: u32, value: f32) {
    y[at] = value;
}
#endif
#if base
@group(0) @binding(5) var<storage, read> base: array<f32>;
#endif

var<workgroup> gs: array<f32, CHUNK * PITCH>;
var<workgroup> cs: array<vec4<f32>, CHUNK * QUADS>;
var<workgroup> inner: array<f32, QUADS * 4u * ROWS>;

// The coefficient of feature f of the tile; 0 where there is none.
fn coefficient(f: u32, i0: u32, first: u32, o: u32) -> f32 {
    let i = i0 + f / HELD;
    let m = first + f % HELD;
    if f >= FEATURES || i >= params.inputs || o >= params.outputs {
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
    let across = (params.inputs + DEPTH - 1u) / DEPTH;
    let down = (params.rows + ROWS - 1u) / ROWS;
    if group >= across * down {
        return;
    }
    let row0 = (group / across) * ROWS;
    let i0 = (group % across) * DEPTH;
    let q = local % QUADS;
    let r = (local / QUADS) * 4u;
    var functions = params.bases;
#if base
    functions += 1u;
#endif
    // Where functions come in several ranges, a thread has at most one point, in all of them the same.
    var total = 0.0;
    for (var first = 0u; first < functions; first += HELD) {
        var acc: array<vec4<f32>, 4>;
        for (var o0 = 0u; o0 < params.outputs; o0 += CHUNK) {
            for (var at = local; at < CHUNK * ROWS; at += THREADS) {
                let row = at / CHUNK;
                let o = at % CHUNK;
                var v = 0.0;
                if row0 + row < params.rows && o0 + o < params.outputs {
                    v = g[(row0 + row) * params.outputs + o0 + o];
                }
                gs[o * PITCH + row] = v;
            }
            for (var at = local; at < CHUNK * QUADS; at += THREADS) {
                let f = (at / CHUNK) * 4u;
                let o = at % CHUNK;
                cs[o * QUADS + at / CHUNK] = vec4<f32>(
                    coefficient(f, i0, first, o0 + o), coefficient(f + 1u, i0, first, o0 + o),
                    coefficient(f + 2u, i0, first, o0 + o), coefficient(f + 3u, i0, first, o0 + o));
            }
            workgroupBarrier();
            // Summed by themselves first: shorter chains, smaller rounding errors.
            var s0 = vec4<f32>();
            var s1 = vec4<f32>();
            var s2 = vec4<f32>();
            var s3 = vec4<f32>();
            for (var o = 0u; o < CHUNK; o++) {
                let c = cs[o * QUADS + q];
                let p = o * PITCH + r;
                s0 = fma(vec4<f32>(gs[p]), c, s0);
                s1 = fma(vec4<f32>(gs[p + 1u]), c, s1);
                s2 = fma(vec4<f32>(gs[p + 2u]), c, s2);
                s3 = fma(vec4<f32>(gs[p + 3u]), c, s3);
            }
            acc[0] += s0;
            acc[1] += s1;
            acc[2] += s2;
            acc[3] += s3;
            workgroupBarrier();
        }
        for (var e = 0u; e < 4u; e++) {
            for (var j = 0u; j < 4u; j++) {
                inner[(q * 4u + j) * ROWS + r + e] = acc[e][j];
            }
        }
        workgroupBarrier();
        for (var point = local; point < ROWS * DEPTH; point += THREADS) {
            let row = point % ROWS;
            let i = i0 + point / ROWS;
            if row0 + row < params.rows && i < params.inputs {
                let at = (row0 + row) * params.inputs + i;
                let v = x[at];
                var sum = 0.0;
                let column = (point / ROWS) * HELD * ROWS + row;
#if bspline
                if KAN_TERMS > 0u {
                    let local = kan_local(v);
                    for (var r = 0u; r < KAN_TERMS; r++) {
                        // Below the first function the difference wraps to a large number.
                        let k = local.start + r - first;
                        if k < HELD {
                            sum = fma(local.weights[r], inner[column + k * ROWS], sum);
                        }
                    }
                }
#if base
                if params.bases - first < HELD {
                    sum = fma(kan_silu(v), inner[column + (params.bases - first) * ROWS], sum);
                }
#endif
#else
                var state = kan_begin(v, first);
                for (var k = 0u; k < HELD; k++) {
                    var value = 0.0;
                    if first + k < params.bases {
                        value = kan_next(&state);
                    }
#if base
                    if first + k == params.bases {
                        value = kan_silu(v);
                    }
#endif
                    sum = fma(value, inner[column + k * ROWS], sum);
                }
#endif
                if first > 0u {
                    sum += total;
                }
                total = sum;
                if first + HELD >= functions {
                    emit(at, sum);
                }
            }
        }
        workgroupBarrier();
    }
}
