// y[b, o] = sum_i u[b, i] (sum_m C[i, m, o] B_m(x[b, i]) + W[i, o] silu(x[b, i])), any derivative of both, for few rows;
// the number of outputs is a multiple of 4.
//
// A workgroup makes 4 ACROSS outputs of one row, over one part of the inputs, its threads split over the inputs too: CHUNK
// points at a time are evaluated into workgroup memory, each thread adds the vectors of coefficients of every LANES-th one,
// and the threads' sums are added in pairs, in one order. Parts are added up by kan/add_parts.
#import shared/grid
#import kan/fours/packed

const ACROSS: u32 = 16u;
const CHUNK: u32 = 256u;
const THREADS: u32 = 256u;
const LANES: u32 = THREADS / ACROSS;

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> coef: array<vec4<f32>>;
// Fused steps may take the place of this function, with what it binds.
#if !epilogue
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

fn emit(at: u32, value: f32) {
    y[at] = value;
}
#endif
#if base
@group(0) @binding(4) var<storage, read> base: array<vec4<f32>>;
#if scale
@group(0) @binding(5) var<storage, read> scale: array<f32>;
#endif
#else
#if scale
@group(0) @binding(4) var<storage, read> scale: array<f32>;
#endif
#endif

var<workgroup> points: array<vec4<f32>, CHUNK * KAN_VECTORS>;
var<workgroup> sums: array<vec4<f32>, THREADS>;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
    let group = linear_group(wid, groups);
    let fours = params.outputs / 4u;
    let across = (fours + ACROSS - 1u) / ACROSS;
    if group >= across * params.rows * params.parts {
        return;
    }
    // The part and the row in one number.
    let to = group / across;
    let row = to % params.rows;
    let o = (group % across) * ACROSS + local % ACROSS;
    let first = to / params.rows * params.span;
    let last = min(first + params.span, params.inputs);
    var acc = vec4<f32>();
    for (var i0 = first; i0 < last; i0 += CHUNK) {
        let deep = min(CHUNK, last - i0);
        for (var point = local; point < deep; point += THREADS) {
            let at = row * params.inputs + i0 + point;
            let v = x[at];
            var u = 1.0;
#if scale
            u = scale[at];
#endif
            var act = 0.0;
#if base
            act = kan_silu(v);
#endif
            let packed = kan_packed(v, i0 + point, u, act);
            for (var v = 0u; v < KAN_VECTORS; v++) {
                points[point * KAN_VECTORS + v] = packed[v];
            }
        }
        workgroupBarrier();
        if o < fours {
            // Summed by themselves first: shorter chains, smaller rounding errors.
            var sum = vec4<f32>();
            for (var d = local / ACROSS; d < deep; d += LANES) {
                let point = d * KAN_VECTORS;
                let tail = points[point + KAN_VECTORS - 1u];
                let head = ((i0 + d) * params.bases + kan_first(tail)) * fours + o;
                for (var v = 0u; v < KAN_VECTORS; v++) {
                    let w = points[point + v];
                    let at = head + v * 4u * fours;
                    if v * 4u < KAN_TERMS { sum = fma(w.xxxx, coef[at], sum); }
                    if v * 4u + 1u < KAN_TERMS { sum = fma(w.yyyy, coef[at + fours], sum); }
                    if v * 4u + 2u < KAN_TERMS { sum = fma(w.zzzz, coef[at + 2u * fours], sum); }
                    if v * 4u + 3u < KAN_TERMS { sum = fma(w.wwww, coef[at + 3u * fours], sum); }
                }
#if base
                sum = fma(tail.zzzz, base[(i0 + d) * fours + o], sum);
#endif
            }
            acc += sum;
        }
        workgroupBarrier();
    }
    sums[local] = acc;
    workgroupBarrier();
    for (var half = THREADS / 2u; half >= ACROSS; half /= 2u) {
        if local < half {
            sums[local] += sums[local + half];
        }
        workgroupBarrier();
    }
    if local < ACROSS && o < fours {
        for (var j = 0u; j < 4u; j++) {
            emit((to * fours + o) * 4u + j, sums[local][j]);
        }
    }
}
