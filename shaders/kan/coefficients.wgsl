// P[i, m, o] = sum_b u[b, i] g[b, o] B_m(x[b, i]) and Q[i, o] = sum_b u[b, i] g[b, o] silu(x[b, i]), any derivative.
//
// A workgroup owns one input, HELD of its functions and COLUMNS outputs, over one part of the rows; a thread owns one
// output's column of sums in workgroup memory, so rows are added one after the other without conflicts, in one order.
// Parts are added up by kan/add_parts.
#import shared/grid
#import kan/local

const COLUMNS: u32 = 64u;
const HELD: u32 = 8u;
#if base
const STRIDE: u32 = KAN_TERMS + 1u;
#else
// Workgroup arrays cannot be empty.
const STRIDE: u32 = max(KAN_TERMS, 1u);
#endif

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> g: array<f32>;
@group(0) @binding(3) var<storage, read_write> dc: array<f32>;
#if base
@group(0) @binding(4) var<storage, read_write> dw: array<f32>;
#if scale
@group(0) @binding(5) var<storage, read> scale: array<f32>;
#endif
#else
#if scale
@group(0) @binding(4) var<storage, read> scale: array<f32>;
#endif
#endif

var<workgroup> starts: array<u32, COLUMNS>;
var<workgroup> weights: array<f32, COLUMNS * STRIDE>;
var<workgroup> sums: array<f32, HELD * COLUMNS>;

@compute @workgroup_size(COLUMNS)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    let group = linear_group(wid, groups);
    let across = (params.outputs + COLUMNS - 1u) / COLUMNS;
    let ranges = (params.bases + HELD - 1u) / HELD;
    let tiles = across * ranges * params.inputs;
    if group >= tiles * params.parts {
        return;
    }
    let part = group / tiles;
    let tile = group % tiles;
    let o = (tile % across) * COLUMNS + lane;
    let m0 = (tile / across % ranges) * HELD;
    let i = tile / (across * ranges);
    let last = min((part + 1u) * params.span, params.rows);
    for (var m = 0u; m < HELD; m++) {
        sums[m * COLUMNS + lane] = 0.0;
    }
    // A NaN belongs to every function of its input.
    var spoilt = 0.0;
    var silu = 0.0;
    for (var b0 = part * params.span; b0 < last; b0 += COLUMNS) {
        // Each thread evaluates one row.
        var here: KanLocal;
        var act = 0.0;
        if b0 + lane < last {
            let at = (b0 + lane) * params.inputs + i;
            let v = x[at];
            var u = 1.0;
#if scale
            u = scale[at];
#endif
            if KAN_TERMS > 0u {
                here = kan_at(v, i);
                for (var r = 0u; r < KAN_TERMS; r++) {
                    here.weights[r] *= u;
                }
                if kw_is_nan(v) {
                    here.start = 0xffffffffu;
                }
            }
#if base
            act = u * kan_silu(v);
#endif
        }
        starts[lane] = here.start;
        for (var r = 0u; r < KAN_TERMS; r++) {
            weights[lane * STRIDE + r] = here.weights[r];
        }
#if base
        weights[lane * STRIDE + KAN_TERMS] = act;
#endif
        workgroupBarrier();
        if o < params.outputs {
            let deep = min(COLUMNS, last - b0);
            for (var b = 0u; b < deep; b++) {
                let d = g[(b0 + b) * params.outputs + o];
                if starts[b] == 0xffffffffu {
                    spoilt = kw_nan();
                } else {
                    for (var r = 0u; r < KAN_TERMS; r++) {
                        // Below m0 the difference wraps to a large number.
                        let m = starts[b] + r - m0;
                        if m < HELD {
                            sums[m * COLUMNS + lane] = fma(weights[b * STRIDE + r], d, sums[m * COLUMNS + lane]);
                        }
                    }
                }
#if base
                silu = fma(weights[b * STRIDE + KAN_TERMS], d, silu);
#endif
            }
        }
        workgroupBarrier();
    }
    if o < params.outputs {
        let here = min(HELD, params.bases - m0);
        for (var m = 0u; m < here; m++) {
            let at = (i * params.bases + m0 + m) * params.outputs + o;
            dc[part * params.inputs * params.bases * params.outputs + at] = sums[m * COLUMNS + lane] + spoilt;
        }
#if base
        if m0 == 0u {
            dw[(part * params.inputs + i) * params.outputs + o] = silu;
        }
#endif
    }
}
