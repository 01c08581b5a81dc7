// y[b, o] = sum_i u[b, i] (sum_m C[i, m, o] phi_m(x[b, i]) + W[i, o] silu(x[b, i])), any derivative of both, for few rows.
//
// A workgroup makes 4 ACROSS outputs of one row, over one part of the inputs, its threads split over their functions: HELD
// functions of DEPTH inputs at a time are evaluated into workgroup memory (silu counts as the last function), each thread
// adds the coefficients of every LANES-th one, and the threads' sums are added in pairs, in one order. `fours`: the number
// of outputs is a multiple of 4, and coefficients are read as vectors. Parts are added up by kan/add_parts.
#import shared/grid
#import kan/dense/functions

const DEPTH: u32 = 64u;
const ACROSS: u32 = 16u;
const THREADS: u32 = 256u;
const LANES: u32 = THREADS / ACROSS;
const_assert HELD * DEPTH <= PHI;

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

var<workgroup> sums: array<vec4<f32>, THREADS>;

// Four coefficients of function m of input i; 0 where there are none.
fn coefficients(i: u32, m: u32, o: u32) -> vec4<f32> {
#if fours
#if base
    if m == params.bases {
        return base[(i * params.outputs + o) / 4u];
    }
#endif
    return coef[((i * params.bases + m) * params.outputs + o) / 4u];
#else
    var four = vec4<f32>();
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
    return four;
#endif
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
    let group = linear_group(wid, groups);
    let across = (params.outputs + 4u * ACROSS - 1u) / (4u * ACROSS);
    if group >= across * params.rows * params.parts {
        return;
    }
    // The part and the row in one number.
    let to = group / across;
    let row = to % params.rows;
    let o = ((group % across) * ACROSS + local % ACROSS) * 4u;
    let begin = to / params.rows * params.span;
    let last = min(begin + params.span, params.inputs);
    var functions = params.bases;
#if base
    functions += 1u;
#endif
    var acc = vec4<f32>();
    for (var i0 = begin; i0 < last; i0 += DEPTH) {
        let deep = min(DEPTH, last - i0);
        for (var first = 0u; first < functions; first += HELD) {
            for (var d = local; d < deep; d += THREADS) {
                evaluate(d * HELD, 1u, row, i0 + d, first, true);
            }
            workgroupBarrier();
            if o < params.outputs {
                // Summed by themselves first: shorter chains, smaller rounding errors.
                var sum = vec4<f32>();
                for (var f = local / ACROSS; f < deep * HELD; f += LANES) {
                    let m = first + f % HELD;
                    if m < functions {
                        sum = fma(vec4<f32>(phi[f]), coefficients(i0 + f / HELD, m, o), sum);
                    }
                }
                acc += sum;
            }
            workgroupBarrier();
        }
    }
    sums[local] = acc;
    workgroupBarrier();
    for (var half = THREADS / 2u; half >= ACROSS; half /= 2u) {
        if local < half {
            sums[local] += sums[local + half];
        }
        workgroupBarrier();
    }
    if local < ACROSS {
        for (var j = 0u; j < 4u; j++) {
            if o + j < params.outputs {
                emit(to * params.outputs + o + j, sums[local][j]);
            }
        }
    }
}
