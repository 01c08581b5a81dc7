// v[b, i] = sum_m phi_m(x[b, i]) sum_o g[b, o] C[i, m, o] + silu(x[b, i]) sum_o g[b, o] W[i, o], any derivative of both, the
// inner sums in registers.
//
// A product of matrices as `matmul/tiled` makes it: a thread makes the inner sums of 8 rows x 8 functions (HELD functions of
// DEPTH inputs, silu counts as the last one) over CHUNK outputs at a time. Then half of the functions after the other goes
// through workgroup memory, where a thread takes one row and multiplies them with the functions that it evaluates.
#import shared/grid
#import kan/bases/any

const HELD: u32 = 8u;
const DEPTH: u32 = 8u;
const CHUNK: u32 = 8u;
const SIDE: u32 = 64u;
const FEATURES: u32 = HELD * DEPTH;
const_assert FEATURES <= SIDE;
const THREADS: u32 = SIDE;
// Vectors of a tile's functions.
const VECTORS: u32 = SIDE / 4u;
// One word of padding keeps rows in different banks.
const PITCH: u32 = SIDE + 1u;

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
var<workgroup> cs: array<vec4<f32>, CHUNK * VECTORS>;
var<workgroup> inner: array<f32, SIDE / 2u * PITCH>;

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

@compute @workgroup_size(8, 8)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_id) id: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let group = linear_group(wid, groups);
    let across = (params.inputs + DEPTH - 1u) / DEPTH;
    let down = (params.rows + SIDE - 1u) / SIDE;
    if group >= across * down {
        return;
    }
    let row0 = (group / across) * SIDE;
    let i0 = (group % across) * DEPTH;
    let row = row0 + local;
    var functions = params.bases;
#if base
    functions += 1u;
#endif
    // Where functions come in several ranges, a tile has one input, in all of them the same.
    var v = 0.0;
    var sum = 0.0;
#if bspline
    var here: KanLocal;
#else
    var state: KanState;
#endif
    for (var first = 0u; first < functions; first += HELD) {
        var c0 = vec4<f32>(); var c1 = vec4<f32>(); var c2 = vec4<f32>(); var c3 = vec4<f32>();
        var c4 = vec4<f32>(); var c5 = vec4<f32>(); var c6 = vec4<f32>(); var c7 = vec4<f32>();
        var d0 = vec4<f32>(); var d1 = vec4<f32>(); var d2 = vec4<f32>(); var d3 = vec4<f32>();
        var d4 = vec4<f32>(); var d5 = vec4<f32>(); var d6 = vec4<f32>(); var d7 = vec4<f32>();
        for (var o0 = 0u; o0 < params.outputs; o0 += CHUNK) {
            for (var at = local; at < CHUNK * SIDE; at += THREADS) {
                let b = at / CHUNK;
                let o = at % CHUNK;
                var d = 0.0;
                if row0 + b < params.rows && o0 + o < params.outputs {
                    d = g[(row0 + b) * params.outputs + o0 + o];
                }
                gs[o * PITCH + b] = d;
            }
            for (var at = local; at < CHUNK * VECTORS; at += THREADS) {
                let f = (at / CHUNK) * 4u;
                let o = o0 + at % CHUNK;
                cs[at % CHUNK * VECTORS + at / CHUNK] = vec4<f32>(
                    coefficient(f, i0, first, o), coefficient(f + 1u, i0, first, o),
                    coefficient(f + 2u, i0, first, o), coefficient(f + 3u, i0, first, o));
            }
            workgroupBarrier();
            for (var o = 0u; o < CHUNK; o++) {
                let w = cs[o * VECTORS + id.x];
                let z = cs[o * VECTORS + id.x + 8u];
                let p = o * PITCH + id.y * 8u;
                let s = vec4<f32>(gs[p], gs[p + 1u], gs[p + 2u], gs[p + 3u]);
                c0 = fma(s.xxxx, w, c0); d0 = fma(s.xxxx, z, d0);
                c1 = fma(s.yyyy, w, c1); d1 = fma(s.yyyy, z, d1);
                c2 = fma(s.zzzz, w, c2); d2 = fma(s.zzzz, z, d2);
                c3 = fma(s.wwww, w, c3); d3 = fma(s.wwww, z, d3);
                let t = vec4<f32>(gs[p + 4u], gs[p + 5u], gs[p + 6u], gs[p + 7u]);
                c4 = fma(t.xxxx, w, c4); d4 = fma(t.xxxx, z, d4);
                c5 = fma(t.yyyy, w, c5); d5 = fma(t.yyyy, z, d5);
                c6 = fma(t.zzzz, w, c6); d6 = fma(t.zzzz, z, d6);
                c7 = fma(t.wwww, w, c7); d7 = fma(t.wwww, z, d7);
            }
            workgroupBarrier();
        }
        for (var half = 0u; half < 2u; half++) {
            // A copy: the vectors above stay in registers, this one is indexed.
            var results = array(c0, c1, c2, c3, c4, c5, c6, c7);
            if half == 1u {
                results = array(d0, d1, d2, d3, d4, d5, d6, d7);
            }
            for (var e = 0u; e < 8u; e++) {
                for (var j = 0u; j < 4u; j++) {
                    inner[(id.x * 4u + j) * PITCH + id.y * 8u + e] = results[e][j];
                }
            }
            workgroupBarrier();
            let last = min(FEATURES, (half + 1u) * SIDE / 2u);
            for (var f = half * SIDE / 2u; f < last; f++) {
                let i = i0 + f / HELD;
                let k = f % HELD;
                if row < params.rows && i < params.inputs {
                    let at = row * params.inputs + i;
                    let m = first + k;
                    if k == 0u {
                        v = x[at];
                        sum = select(0.0, sum, first > 0u);
#if bspline
                        here = kan_local(v);
#else
                        state = kan_begin(v, first);
#endif
                    }
                    let part = inner[(f - half * SIDE / 2u) * PITCH + local];
                    if m < params.bases {
#if bspline
                        // Below the first function the difference wraps to a large number.
                        let r = m - here.start;
                        if r < KAN_TERMS {
                            sum = fma(here.weights[r], part, sum);
                        }
#else
                        sum = fma(kan_next(&state), part, sum);
#endif
                    }
#if base
                    if m == params.bases {
                        sum = fma(kan_silu(v), part, sum);
                    }
#endif
                    if k + 1u == HELD && first + HELD >= functions {
                        emit(at, sum);
                    }
                }
            }
            workgroupBarrier();
        }
    }
}
