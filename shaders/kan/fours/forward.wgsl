// y[b, o] = sum_i u[b, i] (sum_m C[i, m, o] B_m(x[b, i]) + W[i, o] silu(x[b, i])), any derivative of both, four outputs at
// a time: their number is a multiple of 4, and coefficients are read as vectors.
//
// A workgroup makes a tile of rows x 4 ACROSS outputs, over one part of the inputs. DEPTH inputs at a time, its threads
// evaluate the tile's points into workgroup memory, once for all outputs; then each adds k + 1 vectors of coefficients a
// point to EACH rows. Parts are added up by kan/add_parts.
#import shared/grid
#import kan/fours/packed

const ACROSS: u32 = 16u;
const EACH: u32 = 4u;
const DEPTH: u32 = 4u;
const THREADS: u32 = 256u;
const LANES: u32 = THREADS / ACROSS;
const ROWS: u32 = LANES * EACH;
const POINTS: u32 = ROWS * DEPTH;

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

var<workgroup> points: array<vec4<f32>, POINTS * KAN_VECTORS>;

// One point of the tile; 0 beyond the tensor's edges.
fn evaluate(point: u32, row: u32, i: u32, last: u32) {
    var packed: KanPacked;
    if row < params.rows && i < last {
        let at = row * params.inputs + i;
        let v = x[at];
        var u = 1.0;
#if scale
        u = scale[at];
#endif
        var act = 0.0;
#if base
        act = kan_silu(v);
#endif
        packed = kan_packed(v, i, u, act);
    }
    for (var v = 0u; v < KAN_VECTORS; v++) {
        points[point * KAN_VECTORS + v] = packed[v];
    }
}

// What a point adds to four outputs; `head` is the first function of its input, `fours` the way to the next one.
fn add(to: vec4<f32>, point: u32, head: u32, fours: u32, act: vec4<f32>) -> vec4<f32> {
    let tail = points[point * KAN_VECTORS + KAN_VECTORS - 1u];
    var at = head + kan_first(tail) * fours;
    var sum = to;
    for (var v = 0u; v < KAN_VECTORS; v++) {
        let w = points[point * KAN_VECTORS + v];
        if v * 4u < KAN_TERMS { sum = fma(w.xxxx, coef[at], sum); }
        if v * 4u + 1u < KAN_TERMS { sum = fma(w.yyyy, coef[at + fours], sum); }
        if v * 4u + 2u < KAN_TERMS { sum = fma(w.zzzz, coef[at + 2u * fours], sum); }
        if v * 4u + 3u < KAN_TERMS { sum = fma(w.wwww, coef[at + 3u * fours], sum); }
        at += 4u * fours;
    }
#if base
    sum = fma(tail.zzzz, act, sum);
#endif
    return sum;
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
    let group = linear_group(wid, groups);
    let fours = params.outputs / 4u;
    let across = (fours + ACROSS - 1u) / ACROSS;
    let down = (params.rows + ROWS - 1u) / ROWS;
    if group >= across * down * params.parts {
        return;
    }
    let part = group / (across * down);
    let tile = group % (across * down);
    let row0 = (tile / across) * ROWS;
    let o = (tile % across) * ACROSS + local % ACROSS;
    let lane = local / ACROSS;
    let first = part * params.span;
    let last = min(first + params.span, params.inputs);
    var c0 = vec4<f32>();
    var c1 = vec4<f32>();
    var c2 = vec4<f32>();
    var c3 = vec4<f32>();
    for (var i0 = first; i0 < last; i0 += DEPTH) {
        for (var point = local; point < POINTS; point += THREADS) {
            evaluate(point, row0 + point / DEPTH, i0 + point % DEPTH, last);
        }
        workgroupBarrier();
        if o < fours {
            let deep = min(DEPTH, last - i0);
            // Summed by themselves first: shorter chains, smaller rounding errors.
            var s0 = vec4<f32>();
            var s1 = vec4<f32>();
            var s2 = vec4<f32>();
            var s3 = vec4<f32>();
            for (var d = 0u; d < deep; d++) {
                let i = i0 + d;
                var act = vec4<f32>();
#if base
                act = base[i * fours + o];
#endif
                let head = i * params.bases * fours + o;
                let point = lane * DEPTH + d;
                s0 = add(s0, point, head, fours, act);
                if EACH > 1u { s1 = add(s1, point + LANES * DEPTH, head, fours, act); }
                if EACH > 2u {
                    s2 = add(s2, point + 2u * LANES * DEPTH, head, fours, act);
                    s3 = add(s3, point + 3u * LANES * DEPTH, head, fours, act);
                }
            }
            c0 += s0;
            c1 += s1;
            c2 += s2;
            c3 += s3;
        }
        workgroupBarrier();
    }
    // A copy: the vectors above stay in registers, this one is indexed.
    var acc = array(c0, c1, c2, c3);
    if o < fours {
        for (var e = 0u; e < EACH; e++) {
            let row = row0 + lane + e * LANES;
            if row < params.rows {
                let at = ((part * params.rows + row) * fours + o) * 4u;
                for (var j = 0u; j < 4u; j++) {
                    emit(at + j, acc[e][j]);
                }
            }
        }
    }
}
