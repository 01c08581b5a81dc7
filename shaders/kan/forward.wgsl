// y[b, o] = sum_i u[b, i] (sum_m C[i, m, o] B_m(x[b, i]) + W[i, o] silu(x[b, i])), any derivative of both.
//
// A workgroup makes a tile of rows x COLUMNS outputs, over one part of the inputs. DEPTH inputs at a time, its threads
// evaluate the weights of the tile's points into workgroup memory, then each adds k + 1 coefficients a point to EACH rows
// of its column: neighbouring threads read neighbouring outputs. Parts are added up by kan/add_parts.
#import shared/grid
#import kan/local

const COLUMNS: u32 = 64u;
const EACH: u32 = 4u;
const DEPTH: u32 = 16u;
const THREADS: u32 = 256u;
const LANES: u32 = THREADS / COLUMNS;
const ROWS: u32 = LANES * EACH;
const POINTS: u32 = ROWS * DEPTH;
#if base
const STRIDE: u32 = KAN_TERMS + 1u;
#else
// Workgroup arrays cannot be empty.
const STRIDE: u32 = max(KAN_TERMS, 1u);
#endif

@group(0) @binding(1) var<storage, read> x: array<f32>;
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
#if scale
@group(0) @binding(5) var<storage, read> scale: array<f32>;
#endif
#else
#if scale
@group(0) @binding(4) var<storage, read> scale: array<f32>;
#endif
#endif

var<workgroup> starts: array<u32, POINTS>;
var<workgroup> weights: array<f32, POINTS * STRIDE>;

// The weights of one point of the tile; 0 beyond the tensor's edges.
fn evaluate(point: u32, row: u32, i: u32, last: u32) {
    var local: KanLocal;
    var act = 0.0;
    if row < params.rows && i < last {
        let at = row * params.inputs + i;
        let v = x[at];
        var u = 1.0;
#if scale
        u = scale[at];
#endif
        if KAN_TERMS > 0u {
            local = kan_at(v, i);
            for (var r = 0u; r < KAN_TERMS; r++) {
                local.weights[r] *= u;
            }
        }
#if base
        act = u * kan_silu(v);
#endif
    }
    starts[point] = local.start;
    for (var r = 0u; r < KAN_TERMS; r++) {
        weights[point * STRIDE + r] = local.weights[r];
    }
#if base
    weights[point * STRIDE + KAN_TERMS] = act;
#endif
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
    let group = linear_group(wid, groups);
    let across = (params.outputs + COLUMNS - 1u) / COLUMNS;
    let down = (params.rows + ROWS - 1u) / ROWS;
    if group >= across * down * params.parts {
        return;
    }
    let part = group / (across * down);
    let tile = group % (across * down);
    let row0 = (tile / across) * ROWS;
    let o = (tile % across) * COLUMNS + local % COLUMNS;
    let lane = local / COLUMNS;
    let first = part * params.span;
    let last = min(first + params.span, params.inputs);
    var acc: array<f32, EACH>;
    for (var i0 = first; i0 < last; i0 += DEPTH) {
        for (var point = local; point < POINTS; point += THREADS) {
            evaluate(point, row0 + point / DEPTH, i0 + point % DEPTH, last);
        }
        workgroupBarrier();
        if o < params.outputs {
            let deep = min(DEPTH, last - i0);
            // Summed by themselves first: shorter chains, smaller rounding errors.
            var sums: array<f32, EACH>;
            for (var d = 0u; d < deep; d++) {
                let i = i0 + d;
#if base
                let act = base[i * params.outputs + o];
#endif
                for (var e = 0u; e < EACH; e++) {
                    let point = (lane + e * LANES) * DEPTH + d;
                    let head = (i * params.bases + starts[point]) * params.outputs + o;
                    var sum = sums[e];
                    for (var r = 0u; r < KAN_TERMS; r++) {
                        sum = fma(weights[point * STRIDE + r], coef[head + r * params.outputs], sum);
                    }
#if base
                    sum = fma(weights[point * STRIDE + KAN_TERMS], act, sum);
#endif
                    sums[e] = sum;
                }
            }
            for (var e = 0u; e < EACH; e++) {
                acc[e] += sums[e];
            }
        }
        workgroupBarrier();
    }
    if o < params.outputs {
        for (var e = 0u; e < EACH; e++) {
            let row = row0 + lane + e * LANES;
            if row < params.rows {
                emit((part * params.rows + row) * params.outputs + o, acc[e]);
            }
        }
    }
}
