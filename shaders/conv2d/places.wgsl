// Where the operands of a convolution, and of its gradients to the input and to the weight (flags `to_input`,
// `to_weight`), lie: the product c[m, n] = sum_k a[m, k] b[k, n] of each group of channels, with
//
//               m                  n              k                  a        b
//   (forward)   output channel     b, oh, ow      c, kh, kw          weight   x
//   to_input    input channel      b, h, w        o, kh, kw          weight   dy
//   to_weight   output channel     c, kh, kw      b, oh, ow          dy       x
//
// An element of b lies where its column and its index of k say together: both are (address, row, column in the image),
// and are added. So what takes divisions is done once a column and once an index, never for each element.
//
// Under a stride an element of x meets only some of the taps: those of its phase, which is its place modulo the stride.
// `to_input` goes phase by phase (`Phase`), and n and k count the elements and the taps of one phase alone.

struct Params {
    // images, channels of a group of x, channels of a group of y, groups
    size: vec4<u32>,
    // h, w, oh, ow
    image: vec4<u32>,
    // kh, kw, stride of both
    kernel: vec4<u32>,
    // padding and dilation of both
    around: vec4<u32>,
    // m; n and k of one phase, k at most; phases
    product: vec4<u32>,
    // indices of k in a part, parts
    split: vec4<u32>,
    // phases across; rows and columns of an image that a phase has at most
    phases: vec4<u32>,
    // distance of a phase's taps
    step: vec4<u32>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> first: array<f32>;
#if vectors
@group(0) @binding(2) var<storage, read> second: array<vec4<f32>>;
#else
@group(0) @binding(2) var<storage, read> second: array<f32>;
#endif
// Fused steps may take the place of this function, with what it binds.
#if !epilogue
@group(0) @binding(3) var<storage, read_write> c: array<f32>;

fn emit(at: u32, value: f32) {
    c[at] = value;
}
#endif

// No address, and a row or column that is in no image whatever is added to it.
const NOWHERE: u32 = 0xffffffffu;
const OUTSIDE: u32 = 0x80000000u;

// Elements of x, and the taps that meet them.
struct Phase {
    // The first element; its place behind the padding, modulo the stride.
    origin: vec2<u32>,
    // The first tap, and how many there are.
    tap: vec2<u32>,
    taps: vec2<u32>,
}

fn first_tap(remainder: u32, taps: u32, step: u32, dilation: u32, stride: u32) -> u32 {
    var tap = 0u;
    while tap < min(taps, step) && (tap * dilation) % stride != remainder {
        tap++;
    }
    return select(taps, tap, tap < step);
}

fn phase_of(number: u32) -> Phase {
#if to_input
    let origin = vec2<u32>(number / params.phases.x, number % params.phases.x);
    let remainder = (origin + params.around.xy) % params.kernel.zw;
    let tap = vec2<u32>(
        first_tap(remainder.x, params.kernel.x, params.step.x, params.around.z, params.kernel.z),
        first_tap(remainder.y, params.kernel.y, params.step.y, params.around.w, params.kernel.w));
    return Phase(origin, tap, (params.kernel.xy - tap + params.step.xy - 1u) / params.step.xy);
#else
    return Phase(vec2<u32>(0u), vec2<u32>(0u), params.kernel.xy);
#endif
}

// Indices of k in a phase.
fn depth_of(phase: Phase) -> u32 {
#if to_input
    return params.size.z * phase.taps.x * phase.taps.y;
#else
    return params.product.z;
#endif
}

// Height and width of the image that b comes from.
fn limits() -> vec2<u32> {
#if to_input
    return params.image.zw;
#else
    return params.image.xy;
#endif
}

// The address of a row of that image, and of a place in a row.
fn in_plane(row: u32, column: u32) -> u32 {
    return row * limits().y + column;
}

// A place of y: the corner of x under it, and in w its address in y, without its group.
fn window_at(index: u32) -> vec4<u32> {
    let places = params.image.z * params.image.w;
    let image = index / places;
    let place = index % places;
    let corner = vec2<u32>(place / params.image.w, place % params.image.w) * params.kernel.zw - params.around.xy;
    let plane = image * params.size.y * params.size.w * params.image.x * params.image.y;
    return vec4<u32>(plane + in_plane(corner.x, corner.y), corner, image * params.size.z * params.size.w * places + place);
}

// A tap of a channel of x: how far it lies from a corner.
fn tap_at(index: u32) -> vec4<u32> {
    let window = params.kernel.x * params.kernel.y;
    let tap = index % window;
    let reach = vec2<u32>(tap / params.kernel.y, tap % params.kernel.y) * params.around.zw;
    return vec4<u32>(index / window * params.image.x * params.image.y + in_plane(reach.x, reach.y), reach, index);
}

#if to_input
// A place of x: the last place of y that a phase's taps may lead to, and in w its address in x, without its channel.
fn element_at(phase: Phase, index: u32) -> vec4<u32> {
    let across = params.phases.z;
    let image = index / (params.phases.y * across);
    let place = index % (params.phases.y * across);
    let at = phase.origin + vec2<u32>(place / across, place % across) * params.kernel.zw;
    if any(at >= params.image.xy) {
        return vec4<u32>(0u, OUTSIDE, 0u, NOWHERE);
    }
    let last = (at + params.around.xy) / params.kernel.zw;
    let channels = image * params.size.w;
    let plane = channels * params.size.z * params.image.z * params.image.w;
    let to = (channels * params.size.y * params.image.x + at.x) * params.image.y + at.y;
    return vec4<u32>(plane + in_plane(last.x, last.y), last, to);
}

// A phase's tap of a channel of y: how far it lies back, and in w its address in the weight, without group and row.
fn back_at(phase: Phase, index: u32) -> vec4<u32> {
    let taps = phase.taps.x * phase.taps.y;
    let number = index % taps;
    let tap = phase.tap + vec2<u32>(number / phase.taps.y, number % phase.taps.y) * params.step.xy;
    let back = tap * params.around.zw / params.kernel.zw;
    let channel = index / taps;
    let weight = channel * params.size.y * params.kernel.x * params.kernel.y + tap.x * params.kernel.y + tap.y;
    return vec4<u32>(channel * params.image.z * params.image.w - in_plane(back.x, back.y), vec2<u32>(0u) - back, weight);
}
#endif

// A column: address, row and column in the image.
fn column_at(phase: Phase, group: u32, n: u32) -> vec3<u32> {
    if n >= params.product.y {
        return vec3<u32>(0u, OUTSIDE, 0u);
    }
#if to_input
    return element_at(phase, n).xyz + vec3<u32>(group * params.size.z * params.image.z * params.image.w, 0u, 0u);
#else
    let plane = group * params.size.y * params.image.x * params.image.y;
#if to_weight
    return tap_at(n).xyz + vec3<u32>(plane, 0u, 0u);
#else
    return window_at(n).xyz + vec3<u32>(plane, 0u, 0u);
#endif
#endif
}

// An index of k: the same, and in w where it lies in a row of a.
fn index_at(phase: Phase, k: u32, end: u32) -> vec4<u32> {
    if k >= end {
        return vec4<u32>(0u, 0u, OUTSIDE, 0u);
    }
#if to_input
    return back_at(phase, k);
#else
#if to_weight
    return window_at(k);
#else
    return tap_at(k);
#endif
#endif
}

fn b_at(at: vec3<u32>) -> f32 {
    let inside = all(at.yz < limits());
    return select(0.0, first[select(0u, at.x, inside)], inside);
}

// Where a group's rows of a begin, and their distance.
fn rows_at(group: u32) -> vec2<u32> {
    let window = params.kernel.x * params.kernel.y;
#if to_input
    return vec2<u32>(group * params.size.z * params.size.y * window, window);
#else
#if to_weight
    let row = params.image.z * params.image.w;
#else
    let row = params.product.z;
#endif
    return vec2<u32>(group * params.size.z * row, row);
#endif
}

// Where a column of c lies, without its row; NOWHERE where there is none.
fn to_column(phase: Phase, n: u32) -> u32 {
    if n >= params.product.y {
        return NOWHERE;
    }
#if to_weight
    return n;
#else
#if to_input
    return element_at(phase, n).w;
#else
    return window_at(n).w;
#endif
#endif
}

// The distance of two rows of c.
fn row_size() -> u32 {
#if to_weight
    return params.product.y;
#else
#if to_input
    return params.image.x * params.image.y;
#else
    return params.image.z * params.image.w;
#endif
#endif
}
