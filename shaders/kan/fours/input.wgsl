// v[b, i] = sum_o g[b, o] (sum_m C[i, m, o] B_m(x[b, i]) + W[i, o] silu(x[b, i])), any derivative of both, four outputs at
// a time: their number is a multiple of 4, and g and coefficients are read as vectors.
//
// A thread makes one element: k + 1 products of g with rows of coefficients, in registers; only at their end are they
// multiplied with the weights. A workgroup takes a tile of rows x INPUTS. `staged`: CHUNK fours of g, and of the
// coefficients of the tile's inputs, at a time lie in workgroup memory, rows an odd number of vectors apart so that they
// fall into different banks.
#import shared/grid
#import kan/local

const THREADS: u32 = 256u;
const INPUTS: u32 = 8u;
const ROWS: u32 = THREADS / INPUTS;
const TERMS: u32 = max(KAN_TERMS, 1u);

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> g: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> coef: array<vec4<f32>>;
// Fused steps may take the place of this function, with what it binds.
#if !epilogue
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

fn emit(at: u32, value: f32) {
    y[at] = value;
}
#endif
#if base
@group(0) @binding(5) var<storage, read> base: array<vec4<f32>>;
#endif

#if staged
const CHUNK: u32 = 8u;
// Functions of an input.
const BASES: u32 = 8u;
const PITCH: u32 = CHUNK + 1u;
var<workgroup> gs: array<vec4<f32>, ROWS * PITCH>;
var<workgroup> cs: array<vec4<f32>, INPUTS * BASES * PITCH>;
#if base
var<workgroup> bs: array<vec4<f32>, INPUTS * PITCH>;
#endif
#endif

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
    let group = linear_group(wid, groups);
    let across = (params.inputs + INPUTS - 1u) / INPUTS;
    let down = (params.rows + ROWS - 1u) / ROWS;
    if group >= across * down {
        return;
    }
    let fours = params.outputs / 4u;
    let row0 = (group / across) * ROWS;
    let i0 = (group % across) * INPUTS;
    let row = row0 + local / INPUTS;
    let i = i0 + local % INPUTS;
    let inside = row < params.rows && i < params.inputs;
    var here: KanLocal;
    var act = 0.0;
    if inside {
        let v = x[row * params.inputs + i];
        if KAN_TERMS > 0u {
            here = kan_at(v, i);
        }
#if base
        act = kan_silu(v);
#endif
    }
    var dots: array<vec4<f32>, TERMS>;
    var silu = vec4<f32>();
#if staged
    for (var o0 = 0u; o0 < fours; o0 += CHUNK) {
        for (var at = local; at < ROWS * CHUNK; at += THREADS) {
            let r = at / CHUNK;
            let o = at % CHUNK;
            var v = vec4<f32>();
            if row0 + r < params.rows && o0 + o < fours {
                v = g[(row0 + r) * fours + o0 + o];
            }
            gs[r * PITCH + o] = v;
        }
        for (var at = local; at < INPUTS * BASES * CHUNK; at += THREADS) {
            let r = at / CHUNK;
            let o = at % CHUNK;
            var v = vec4<f32>();
            if i0 + r / BASES < params.inputs && o0 + o < fours {
                v = coef[(i0 * BASES + r) * fours + o0 + o];
            }
            cs[r * PITCH + o] = v;
        }
#if base
        for (var at = local; at < INPUTS * CHUNK; at += THREADS) {
            let r = at / CHUNK;
            let o = at % CHUNK;
            var v = vec4<f32>();
            if i0 + r < params.inputs && o0 + o < fours {
                v = base[(i0 + r) * fours + o0 + o];
            }
            bs[r * PITCH + o] = v;
        }
#endif
        workgroupBarrier();
        let wide = select(0u, min(CHUNK, fours - o0), inside);
        let head = ((local % INPUTS) * BASES + here.start) * PITCH;
        for (var o = 0u; o < wide; o++) {
            let d = gs[(local / INPUTS) * PITCH + o];
            for (var r = 0u; r < KAN_TERMS; r++) {
                dots[r] = fma(d, cs[head + r * PITCH + o], dots[r]);
            }
#if base
            silu = fma(d, bs[(local % INPUTS) * PITCH + o], silu);
#endif
        }
        workgroupBarrier();
    }
#else
    if inside {
        let head = (i * params.bases + here.start) * fours;
        for (var o = 0u; o < fours; o++) {
            let d = g[row * fours + o];
            for (var r = 0u; r < KAN_TERMS; r++) {
                dots[r] = fma(d, coef[head + r * fours + o], dots[r]);
            }
#if base
            silu = fma(d, base[i * fours + o], silu);
#endif
        }
    }
#endif
    if inside {
        var total = act * dot(silu, vec4<f32>(1.0));
        for (var r = 0u; r < KAN_TERMS; r++) {
            total = fma(here.weights[r], dot(dots[r], vec4<f32>(1.0)), total);
        }
        emit(row * params.inputs + i, total);
    }
}
