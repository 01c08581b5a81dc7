// P[i, m, o] = sum_b u[b, i] g[b, o] B_m(x[b, i]) and Q[i, o] = sum_b u[b, i] g[b, o] silu(x[b, i]), any derivative, four
// outputs at a time: their number is a multiple of 4, and memory is read and written as vectors.
//
// A workgroup owns INPUTS inputs, HELD of their functions and 4 ACROSS outputs, over one part of the rows; a thread owns the
// sums of one input and four outputs, in workgroup memory, so rows are added one after the other without conflicts, in one
// order. Parts are added up by kan/add_parts. `ranged`: not all functions are held.
#import shared/grid
#import kan/fours/packed

const ACROSS: u32 = 16u;
const INPUTS: u32 = 4u;
const HELD: u32 = 8u;
// Rows that are evaluated at once.
const CHUNK: u32 = 32u;
const THREADS: u32 = ACROSS * INPUTS;

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> g: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> dc: array<vec4<f32>>;
#if base
@group(0) @binding(4) var<storage, read_write> dw: array<vec4<f32>>;
#if scale
@group(0) @binding(5) var<storage, read> scale: array<f32>;
#endif
#else
#if scale
@group(0) @binding(4) var<storage, read> scale: array<f32>;
#endif
#endif

var<workgroup> points: array<vec4<f32>, CHUNK * INPUTS * KAN_VECTORS>;
var<workgroup> sums: array<vec4<f32>, INPUTS * HELD * ACROSS>;

// Adds to the sums of function m of those held, `column` where they begin.
fn add(column: u32, m: u32, weight: vec4<f32>, d: vec4<f32>) {
#if ranged
    if m >= HELD {
        return;
    }
#endif
    let at = column + m * ACROSS;
    sums[at] = fma(weight, d, sums[at]);
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
    let group = linear_group(wid, groups);
    let fours = params.outputs / 4u;
    let across = (fours + ACROSS - 1u) / ACROSS;
    let ranges = (params.bases + HELD - 1u) / HELD;
    let tiles = across * ranges * ((params.inputs + INPUTS - 1u) / INPUTS);
    if group >= tiles * params.parts {
        return;
    }
    let part = group / tiles;
    let tile = group % tiles;
    let o = (tile % across) * ACROSS + local % ACROSS;
    let m0 = (tile / across % ranges) * HELD;
    let i0 = tile / (across * ranges) * INPUTS;
    let mine = local / ACROSS;
    let i = i0 + mine;
    let inside = o < fours && i < params.inputs;
    let column = mine * HELD * ACROSS + local % ACROSS;
    let last = min((part + 1u) * params.span, params.rows);
    for (var m = 0u; m < HELD; m++) {
        sums[column + m * ACROSS] = vec4<f32>();
    }
    // A NaN belongs to every function of its input.
    var spoilt = vec4<f32>();
    var silu = vec4<f32>();
    for (var b0 = part * params.span; b0 < last; b0 += CHUNK) {
        for (var point = local; point < CHUNK * INPUTS; point += THREADS) {
            let b = b0 + point / INPUTS;
            let to = i0 + point % INPUTS;
            var packed: KanPacked;
            if b < last && to < params.inputs {
                let v = x[b * params.inputs + to];
                var u = 1.0;
#if scale
                u = scale[b * params.inputs + to];
#endif
                var act = 0.0;
#if base
                act = kan_silu(v);
#endif
                packed = kan_packed(v, to, u, act);
            }
            for (var v = 0u; v < KAN_VECTORS; v++) {
                points[point * KAN_VECTORS + v] = packed[v];
            }
        }
        workgroupBarrier();
        let deep = select(0u, min(CHUNK, last - b0), inside);
        for (var b = 0u; b < deep; b++) {
            let point = (b * INPUTS + mine) * KAN_VECTORS;
            let d = g[(b0 + b) * fours + o];
            let tail = points[point + KAN_VECTORS - 1u];
            if tail.w < 0.0 {
                spoilt = vec4<f32>(kw_nan());
            } else {
                // Below m0 the difference wraps to a large number.
                let m = kan_first(tail) - m0;
                for (var v = 0u; v < KAN_VECTORS; v++) {
                    let w = points[point + v];
                    if v * 4u < KAN_TERMS { add(column, m + v * 4u, w.xxxx, d); }
                    if v * 4u + 1u < KAN_TERMS { add(column, m + v * 4u + 1u, w.yyyy, d); }
                    if v * 4u + 2u < KAN_TERMS { add(column, m + v * 4u + 2u, w.zzzz, d); }
                    if v * 4u + 3u < KAN_TERMS { add(column, m + v * 4u + 3u, w.wwww, d); }
                }
            }
#if base
            silu = fma(tail.zzzz, d, silu);
#endif
        }
        workgroupBarrier();
    }
    if inside {
        let to = part * params.inputs + i;
        let held = min(HELD, params.bases - m0);
        for (var m = 0u; m < held; m++) {
            dc[(to * params.bases + m0 + m) * fours + o] = sums[column + m * ACROSS] + spoilt;
        }
#if base
        if m0 == 0u {
            dw[to * fours + o] = silu;
        }
#endif
    }
}
