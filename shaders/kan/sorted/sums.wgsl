// P[i, m, o] = sum_b u[b, i] g[b, o] B_m(x[b, i]) and Q[i, o] = sum_b u[b, i] g[b, o] silu(x[b, i]), any derivative up to
// order k <= 7, over rows that kan/sorted/order has sorted by cells; four outputs at a time, their number is a multiple of 4.
//
// A workgroup takes LISTS parts of sorted rows and 8 ACROSS outputs. CHUNK rows of each part at a time are evaluated into
// workgroup memory, once for all outputs; a thread walks one part for two fours of outputs, the k + 1 sums of its cell in
// registers. As cells only rise, a sum is stored once, when the walk has passed its function: of each row it reads only g.
// `whole`: a part is all rows of an input. Else kan/sorted/add adds what parts share, and kan/add_parts their Q.
#import shared/grid
#import kan/sorted/lists

const ACROSS: u32 = 8u;
const LISTS: u32 = 8u;
const CHUNK: u32 = 32u;
const THREADS: u32 = ACROSS * LISTS;
// Vectors of weights.
const VECTORS: u32 = max((KAN_TERMS + 3u) / 4u, 1u);

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> g: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> order: array<vec2<i32>>;
@group(0) @binding(4) var<storage, read_write> dc: array<vec4<f32>>;
#if base
@group(0) @binding(5) var<storage, read_write> dw: array<vec4<f32>>;
#if scale
@group(0) @binding(6) var<storage, read> scale: array<f32>;
#endif
var<workgroup> silus: array<f32, LISTS * CHUNK>;
#else
#if scale
@group(0) @binding(5) var<storage, read> scale: array<f32>;
#endif
#endif

// The lists of the workgroup: integer divisions are slow, and each point would need some.
var<workgroup> lists: array<KanList, LISTS>;
// Row and first function of each point, and its weights.
var<workgroup> places: array<vec2<u32>, LISTS * CHUNK>;
var<workgroup> weights: array<vec4<f32>, LISTS * CHUNK * VECTORS>;

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
    let here = kan_local_in(v, place.y);
    for (var j = 0u; j < VECTORS; j++) {
        var four = vec4<f32>();
        for (var r = 0u; r < min(4u, KAN_TERMS - 4u * j); r++) {
            four[r] = u * here.weights[4u * j + r];
        }
        weights[point * VECTORS + j] = four;
    }
    places[point] = vec2<u32>(row, kan_start(place.y));
#if base
    silus[point] = u * kan_silu(v);
#endif
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
    let group = linear_group(wid, groups);
    let fours = params.outputs / 4u;
    let across = (fours + 2u * ACROSS - 1u) / (2u * ACROSS);
    let count = params.inputs * params.parts * kan_blocks();
    let list0 = group / across * LISTS;
    if list0 >= count {
        return;
    }
    for (var k = local; k < LISTS; k += THREADS) {
        lists[k] = list_at(list0 + k);
    }
    workgroupBarrier();
    // Two fours; where there is no second one, the first stands for it and is not stored.
    let o = (group % across) * 2u * ACROSS + local % ACROSS;
    let number = list0 + local / ACROSS;
    let inside = o < fours && number < count;
    let two = o + ACROSS < fours;
    let p = select(o, o + ACROSS, two);
    let list = lists[local / ACROSS];
    let any = inside && list.first < list.last;
    var a0 = vec4<f32>(); var a1 = vec4<f32>(); var a2 = vec4<f32>(); var a3 = vec4<f32>();
    var a4 = vec4<f32>(); var a5 = vec4<f32>(); var a6 = vec4<f32>(); var a7 = vec4<f32>();
    var b0 = vec4<f32>(); var b1 = vec4<f32>(); var b2 = vec4<f32>(); var b3 = vec4<f32>();
    var b4 = vec4<f32>(); var b5 = vec4<f32>(); var b6 = vec4<f32>(); var b7 = vec4<f32>();
    var silu_a = vec4<f32>();
    var silu_b = vec4<f32>();
    // The function that a0 belongs to.
    var m = 0u;
    var spoilt = vec4<f32>();
#if whole
    // A NaN belongs to every function of its input.
    if any && order[list.last - 1u].y == KAN_NAN_CELL {
        spoilt = vec4<f32>(kw_nan());
    }
#else
    if any {
        m = kan_start(order[list.first].y);
    }
#endif
    for (var r0 = 0u; r0 < params.span; r0 += CHUNK) {
        for (var point = local; point < LISTS * CHUNK; point += THREADS) {
            let its = point / CHUNK;
            let at = lists[its].first + r0 + point % CHUNK;
            if at < lists[its].last {
                evaluate(point, lists[its].input, order[at]);
            }
        }
        workgroupBarrier();
        var deep = 0u;
        if inside && list.first + r0 < list.last {
            deep = min(CHUNK, list.last - list.first - r0);
        }
        let head = local / ACROSS * CHUNK;
        for (var r = 0u; r < deep; r++) {
            let place = places[head + r];
            while m < place.y {
                dc[(list.to + m) * fours + o] = a0 + spoilt;
                a0 = a1; a1 = a2; a2 = a3; a3 = a4; a4 = a5; a5 = a6; a6 = a7; a7 = vec4<f32>();
                if two { dc[(list.to + m) * fours + p] = b0 + spoilt; }
                b0 = b1; b1 = b2; b2 = b3; b3 = b4; b4 = b5; b5 = b6; b6 = b7; b7 = vec4<f32>();
                m++;
            }
            let d = g[place.x * fours + o];
            let e = g[place.x * fours + p];
            let w = weights[(head + r) * VECTORS];
            a0 = fma(w.xxxx, d, a0); b0 = fma(w.xxxx, e, b0);
            if 1u < KAN_TERMS { a1 = fma(w.yyyy, d, a1); b1 = fma(w.yyyy, e, b1); }
            if 2u < KAN_TERMS { a2 = fma(w.zzzz, d, a2); b2 = fma(w.zzzz, e, b2); }
            if 3u < KAN_TERMS { a3 = fma(w.wwww, d, a3); b3 = fma(w.wwww, e, b3); }
            if 4u < KAN_TERMS {
                let z = weights[(head + r) * VECTORS + VECTORS - 1u];
                a4 = fma(z.xxxx, d, a4); b4 = fma(z.xxxx, e, b4);
                if 5u < KAN_TERMS { a5 = fma(z.yyyy, d, a5); b5 = fma(z.yyyy, e, b5); }
                if 6u < KAN_TERMS { a6 = fma(z.zzzz, d, a6); b6 = fma(z.zzzz, e, b6); }
                if 7u < KAN_TERMS { a7 = fma(z.wwww, d, a7); b7 = fma(z.wwww, e, b7); }
            }
#if base
            let act = vec4<f32>(silus[head + r]);
            silu_a = fma(act, d, silu_a);
            silu_b = fma(act, e, silu_b);
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
    let end = select(m, m + KAN_TERMS, any);
#endif
    while m < end {
        dc[(list.to + m) * fours + o] = a0 + spoilt;
        a0 = a1; a1 = a2; a2 = a3; a3 = a4; a4 = a5; a5 = a6; a6 = a7; a7 = vec4<f32>();
        if two { dc[(list.to + m) * fours + p] = b0 + spoilt; }
        b0 = b1; b1 = b2; b2 = b3; b3 = b4; b4 = b5; b5 = b6; b6 = b7; b7 = vec4<f32>();
        m++;
    }
#if base
    let block = number / (params.parts * params.inputs);
    let to = ((block * params.parts + number % params.parts) * params.inputs + list.input) * fours;
    dw[to + o] = silu_a;
    if two {
        dw[to + p] = silu_b;
    }
#endif
}
