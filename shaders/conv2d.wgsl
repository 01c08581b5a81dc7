// Convolution over images, and its gradients to the input and to the weight (flags `to_input`, `to_weight`), as the
// product c[m, n] = sum_k a[m, k] b[k, n] of each group of channels, with b gathered from an image while it is read:
//
//               m                  n              k                  a        b
//   (forward)   output channel     b, oh, ow      c, kh, kw          weight   x
//   to_input    input channel      b, h, w        o, kh, kw          weight   dy
//   to_weight   output channel     c, kh, kw      b, oh, ow          dy       x
//
// A workgroup makes a tile of 16 EACH x 16 EACH outputs from steps of DEPTH staged in workgroup memory, over one part of k;
// parts lie one behind the other in c and are added afterwards. Flag `direct`: a thread makes one output alone.
#import shared/grid

const EACH: u32 = 4u;
const SIDE: u32 = 16u;
const TILE: u32 = SIDE * EACH;
const DEPTH: u32 = 16u;

struct Params {
    // images, channels of a group of x, channels of a group of y, groups
    size: vec4<u32>,
    // h, w, oh, ow
    image: vec4<u32>,
    // kh, kw, stride of both
    kernel: vec4<u32>,
    // padding and dilation of both
    around: vec4<u32>,
    // m, n, k of one group
    product: vec4<u32>,
    // indices of k in a part, parts
    split: vec4<u32>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> first: array<f32>;
@group(0) @binding(2) var<storage, read> second: array<f32>;
// Fused steps may take the place of this function, with what it binds.
#if !epilogue
@group(0) @binding(3) var<storage, read_write> c: array<f32>;

fn emit(at: u32, value: f32) {
    c[at] = value;
}
#endif

fn window() -> u32 {
    return params.kernel.x * params.kernel.y;
}

// x at the place under weight (kh, kw) of the output (oh, ow); zero in the padding.
fn x_under(image: u32, channel: u32, tap: u32, place: u32) -> f32 {
    let tap_at = vec2<u32>(tap / params.kernel.y, tap % params.kernel.y);
    let out_at = vec2<u32>(place / params.image.w, place % params.image.w);
    let at = out_at * params.kernel.zw + tap_at * params.around.zw;
    if any(at < params.around.xy) || any(at >= params.around.xy + params.image.xy) {
        return 0.0;
    }
    let inside = at - params.around.xy;
    let plane = image * params.size.y * params.size.w + channel;
    return first[(plane * params.image.x + inside.x) * params.image.y + inside.y];
}

// dy at the output that reads (h, w) under weight (kh, kw); zero where none does.
fn dy_over(image: u32, channel: u32, tap: u32, place: u32) -> f32 {
    let reach = vec2<u32>(tap / params.kernel.y, tap % params.kernel.y) * params.around.zw;
    let at = vec2<u32>(place / params.image.y, place % params.image.y) + params.around.xy;
    if any(at < reach) {
        return 0.0;
    }
    let from_start = at - reach;
    let out_at = from_start / params.kernel.zw;
    if any(out_at * params.kernel.zw != from_start) || any(out_at >= params.image.zw) {
        return 0.0;
    }
    let plane = image * params.size.z * params.size.w + channel;
    return first[(plane * params.image.z + out_at.x) * params.image.w + out_at.y];
}

fn a_at(group: u32, m: u32, k: u32) -> f32 {
#if to_weight
    let places = params.image.z * params.image.w;
    let plane = (k / places) * params.size.z * params.size.w + group * params.size.z + m;
    return second[plane * places + k % places];
#else
#if to_input
    let row = (group * params.size.z + k / window()) * params.size.y + m;
    return second[row * window() + k % window()];
#else
    return second[(group * params.size.z + m) * params.product.z + k];
#endif
#endif
}

fn b_at(group: u32, k: u32, n: u32) -> f32 {
#if to_weight
    let places = params.image.z * params.image.w;
    return x_under(k / places, group * params.size.y + n / window(), n % window(), k % places);
#else
#if to_input
    let places = params.image.x * params.image.y;
    return dy_over(n / places, group * params.size.z + k / window(), k % window(), n % places);
#else
    let places = params.image.z * params.image.w;
    return x_under(n / places, group * params.size.y + k / window(), k % window(), n % places);
#endif
#endif
}

// Where c[m, n] of a group lies in the output.
fn c_at(group: u32, m: u32, n: u32) -> u32 {
    let row = group * params.product.x + m;
#if to_weight
    return row * params.product.y + n;
#else
#if to_input
    let places = params.image.x * params.image.y;
#else
    let places = params.image.z * params.image.w;
#endif
    return ((n / places) * params.product.x * params.size.w + row) * places + n % places;
#endif
}

#if direct
@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
    let at = linear_thread(wid, groups, local, 256u);
    let one = params.product.x * params.product.y;
    if at >= one * params.size.w {
        return;
    }
    let group = at / one;
    let m = at % one / params.product.y;
    let n = at % params.product.y;
    var sum = 0.0;
    for (var k = 0u; k < params.product.z; k++) {
        sum = fma(a_at(group, m, k), b_at(group, k, n), sum);
    }
    emit(c_at(group, m, n), sum);
}
#else
var<workgroup> tile_a: array<f32, TILE * (DEPTH + 1u)>;
var<workgroup> tile_b: array<f32, DEPTH * (TILE + 1u)>;

@compute @workgroup_size(SIDE, SIDE)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_id) id: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let number = linear_group(wid, groups);
    let across = (params.product.y + TILE - 1u) / TILE;
    let down = (params.product.x + TILE - 1u) / TILE;
    if number >= across * down * params.size.w * params.split.y {
        return;
    }
    let matrix = number / (across * down);
    let group = matrix % params.size.w;
    let part = matrix / params.size.w;
    let row0 = (number % (across * down) / across) * TILE;
    let col0 = (number % across) * TILE;
    let begin = part * params.split.x;
    let end = min(begin + params.split.x, params.product.z);
    var acc: array<f32, EACH * EACH>;
    for (var k0 = begin; k0 < end; k0 += DEPTH) {
        for (var e = local; e < TILE * DEPTH; e += SIDE * SIDE) {
            let r = e / DEPTH;
            let k = k0 + e % DEPTH;
            var value = 0.0;
            if row0 + r < params.product.x && k < end {
                value = a_at(group, row0 + r, k);
            }
            tile_a[r * (DEPTH + 1u) + e % DEPTH] = value;
        }
        for (var e = local; e < TILE * DEPTH; e += SIDE * SIDE) {
            let k = k0 + e / TILE;
            let col = e % TILE;
            var value = 0.0;
            if col0 + col < params.product.y && k < end {
                value = b_at(group, k, col0 + col);
            }
            tile_b[(e / TILE) * (TILE + 1u) + col] = value;
        }
        workgroupBarrier();
        for (var k = 0u; k < DEPTH; k++) {
            for (var i = 0u; i < EACH; i++) {
                let value = tile_a[(id.y + i * SIDE) * (DEPTH + 1u) + k];
                for (var j = 0u; j < EACH; j++) {
                    let other = tile_b[k * (TILE + 1u) + id.x + j * SIDE];
                    acc[i * EACH + j] = fma(value, other, acc[i * EACH + j]);
                }
            }
        }
        workgroupBarrier();
    }
    let whole = params.product.x * params.product.y * params.size.w;
    for (var i = 0u; i < EACH; i++) {
        let row = row0 + id.y + i * SIDE;
        for (var j = 0u; j < EACH; j++) {
            let col = col0 + id.x + j * SIDE;
            if row < params.product.x && col < params.product.y {
                emit(part * whole + c_at(group, row, col), acc[i * EACH + j]);
            }
        }
    }
}
#endif
