// P[i, m, o] = sum_b u[b, i] g[b, o] B_m(x[b, i]) and Q[i, o] = sum_b u[b, i] g[b, o] silu(x[b, i]), any derivative up to
// order k <= 7, over rows that kan/sorted/order has sorted by cells; four outputs at a time, their number is a multiple of 4.
//
// A workgroup takes LISTS parts of sorted rows and 4 ACROSS outputs. CHUNK rows of each part at a time are evaluated into
// workgroup memory, once for all outputs; a thread walks one part for four outputs, the k + 1 sums of its cell in registers.
// As cells only rise, a sum is stored once, when the walk has passed its function: one read of g a row, nothing else.
// `whole`: a part is all rows of an input. Else kan/sorted/add adds what parts share, and kan/add_parts their Q.
#import shared/grid
#import kan/fours/packed
#import kan/sorted/lists

const ACROSS: u32 = 16u;
const LISTS: u32 = 4u;
const CHUNK: u32 = 32u;
const THREADS: u32 = ACROSS * LISTS;

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> g: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> order: array<vec2<i32>>;
@group(0) @binding(4) var<storage, read_write> dc: array<vec4<f32>>;
#if base
@group(0) @binding(5) var<storage, read_write> dw: array<vec4<f32>>;
#if scale
@group(0) @binding(6) var<storage, read> scale: array<f32>;
#endif
#else
#if scale
@group(0) @binding(5) var<storage, read> scale: array<f32>;
#endif
#endif

var<workgroup> points: array<vec4<f32>, LISTS * CHUNK * KAN_VECTORS>;
var<workgroup> rows: array<u32, LISTS * CHUNK>;

// The list of that number; none beyond the last.
fn list_at(number: u32) -> KanList {
    let part = number % params.parts;
    let rest = number / params.parts;
    let block = rest / params.inputs;
    if block >= kan_blocks() {
        return KanList();
    }
    return kan_list(rest % params.inputs, block, part);
}

fn evaluate(point: u32, i: u32, place: vec2<i32>) {
    let row = u32(place.x);
    let v = x[row * params.inputs + i];
    var u = 1.0;
#if scale
    u = scale[row * params.inputs + i];
#endif
    var act = 0.0;
#if base
    act = kan_silu(v);
#endif
    let packed = kan_packed_in(v, place.y, u, act);
    for (var v = 0u; v < KAN_VECTORS; v++) {
        points[point * KAN_VECTORS + v] = packed[v];
    }
    rows[point] = row;
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
    let group = linear_group(wid, groups);
    let fours = params.outputs / 4u;
    let across = (fours + ACROSS - 1u) / ACROSS;
    let lists = params.inputs * params.parts * kan_blocks();
    let list0 = group / across * LISTS;
    if list0 >= lists {
        return;
    }
    let o = (group % across) * ACROSS + local % ACROSS;
    let number = list0 + local / ACROSS;
    let list = list_at(number);
    let inside = o < fours && number < lists;
    var a0 = vec4<f32>(); var a1 = vec4<f32>(); var a2 = vec4<f32>(); var a3 = vec4<f32>();
    var a4 = vec4<f32>(); var a5 = vec4<f32>(); var a6 = vec4<f32>(); var a7 = vec4<f32>();
    var silu = vec4<f32>();
    // The function that a0 belongs to.
    var m = 0u;
    var spoilt = vec4<f32>();
#if whole
    // A NaN belongs to every function of its input.
    if inside && order[list.last - 1u].y == KAN_NAN_CELL {
        spoilt = vec4<f32>(kw_nan());
    }
#else
    if inside && list.first < list.last {
        m = kan_start(order[list.first].y);
    }
#endif
    for (var r0 = 0u; r0 < params.span; r0 += CHUNK) {
        for (var point = local; point < LISTS * CHUNK; point += THREADS) {
            let its = list_at(list0 + point / CHUNK);
            let at = its.first + r0 + point % CHUNK;
            if at < its.last {
                evaluate(point, its.input, order[at]);
            }
        }
        workgroupBarrier();
        var deep = 0u;
        if inside && list.first + r0 < list.last {
            deep = min(CHUNK, list.last - list.first - r0);
        }
        let head = local / ACROSS * CHUNK;
        for (var r = 0u; r < deep; r++) {
            let point = (head + r) * KAN_VECTORS;
            let d = g[rows[head + r] * fours + o];
            let tail = points[point + KAN_VECTORS - 1u];
            let start = kan_first(tail);
            while m < start {
                dc[(list.to + m) * fours + o] = a0 + spoilt;
                a0 = a1; a1 = a2; a2 = a3; a3 = a4; a4 = a5; a5 = a6; a6 = a7; a7 = vec4<f32>();
                m++;
            }
            let w = points[point];
            a0 = fma(w.xxxx, d, a0);
            if 1u < KAN_TERMS { a1 = fma(w.yyyy, d, a1); }
            if 2u < KAN_TERMS { a2 = fma(w.zzzz, d, a2); }
            if 3u < KAN_TERMS { a3 = fma(w.wwww, d, a3); }
            if 4u < KAN_TERMS {
                let z = points[point + min(1u, KAN_VECTORS - 1u)];
                a4 = fma(z.xxxx, d, a4);
                if 5u < KAN_TERMS { a5 = fma(z.yyyy, d, a5); }
                if 6u < KAN_TERMS { a6 = fma(z.zzzz, d, a6); }
                if 7u < KAN_TERMS { a7 = fma(z.wwww, d, a7); }
            }
#if base
            silu = fma(tail.zzzz, d, silu);
#endif
        }
        workgroupBarrier();
    }
    if !inside {
        return;
    }
#if whole
    let end = params.bases;
#else
    let end = select(m, m + KAN_TERMS, list.first < list.last);
#endif
    while m < end {
        dc[(list.to + m) * fours + o] = a0 + spoilt;
        a0 = a1; a1 = a2; a2 = a3; a3 = a4; a4 = a5; a5 = a6; a6 = a7; a7 = vec4<f32>();
        m++;
    }
#if base
    let block = number / (params.parts * params.inputs);
    let part = block * params.parts + number % params.parts;
    dw[(part * params.inputs + list.input) * fours + o] = silu;
#endif
}
