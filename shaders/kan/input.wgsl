// v[b, i] = sum_o g[b, o] (sum_m C[i, m, o] B_m(x[b, i]) + W[i, o] silu(x[b, i])), any derivative of both.
//
// A thread makes one element: its weights stay in registers, k + 1 coefficients share one load of g. A workgroup takes a
// tile of rows x INPUTS; CHUNK outputs at a time, g (and the coefficients of the tile's inputs, where they fit) lie in
// workgroup memory, rows padded by one word so that they fall into different banks.
#import shared/grid
#import kan/local

const THREADS: u32 = 256u;
const INPUTS: u32 = 8u;
const CHUNK: u32 = 32u;
// Functions of an input, where the coefficients are staged.
const BASES: u32 = 8u;
const ROWS: u32 = THREADS / INPUTS;
const PITCH: u32 = CHUNK + 1u;

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

var<workgroup> gs: array<f32, ROWS * PITCH>;
#if staged
var<workgroup> cs: array<f32, INPUTS * BASES * PITCH>;
#if base
var<workgroup> bs: array<f32, INPUTS * PITCH>;
#endif
#else
// Coefficients are read where they lie; the constant only has to be known.
const GATHERED: u32 = BASES;
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
    var total = 0.0;
    for (var o0 = 0u; o0 < params.outputs; o0 += CHUNK) {
        for (var at = local; at < ROWS * CHUNK; at += THREADS) {
            let r = at / CHUNK;
            let o = at % CHUNK;
            var v = 0.0;
            if row0 + r < params.rows && o0 + o < params.outputs {
                v = g[(row0 + r) * params.outputs + o0 + o];
            }
            gs[r * PITCH + o] = v;
        }
#if staged
        for (var at = local; at < INPUTS * BASES * CHUNK; at += THREADS) {
            let r = at / CHUNK;
            let o = at % CHUNK;
            var v = 0.0;
            if i0 + r / BASES < params.inputs && o0 + o < params.outputs {
                v = coef[(i0 * BASES + r) * params.outputs + o0 + o];
            }
            cs[r * PITCH + o] = v;
        }
#if base
        for (var at = local; at < INPUTS * CHUNK; at += THREADS) {
            let r = at / CHUNK;
            let o = at % CHUNK;
            var v = 0.0;
            if i0 + r < params.inputs && o0 + o < params.outputs {
                v = base[(i0 + r) * params.outputs + o0 + o];
            }
            bs[r * PITCH + o] = v;
        }
#endif
#endif
        workgroupBarrier();
        if inside {
            let wide = min(CHUNK, params.outputs - o0);
            var chunk = 0.0;
            for (var o = 0u; o < wide; o++) {
                var sum = 0.0;
#if staged
                let head = ((local % INPUTS) * BASES + here.start) * PITCH + o;
                for (var r = 0u; r < KAN_TERMS; r++) {
                    sum = fma(here.weights[r], cs[head + r * PITCH], sum);
                }
#if base
                sum = fma(act, bs[(local % INPUTS) * PITCH + o], sum);
#endif
#else
                let head = (i * params.bases + here.start) * params.outputs + o0 + o;
                for (var r = 0u; r < KAN_TERMS; r++) {
                    sum = fma(here.weights[r], coef[head + r * params.outputs], sum);
                }
#if base
                sum = fma(act, base[i * params.outputs + o0 + o], sum);
#endif
#endif
                chunk = fma(gs[(local / INPUTS) * PITCH + o], sum, chunk);
            }
            total += chunk;
        }
        workgroupBarrier();
    }
    if inside {
        emit(row * params.inputs + i, total);
    }
}
