// A convolution, or its gradient to the input (flag `to_input`), without anything staged: a thread makes ROWS channels of
// four places that lie below one another, so that neighbouring threads read and store neighbours, each weight serves four
// places and each element of the image ROWS channels. For few channels in a group (depthwise: one), and for small work.
#import shared/grid
#import conv2d/places

const ROWS: u32 = 1u;
// Channels after which sums go to totals: long chains of f32 lose digits.
const CHAIN: u32 = 8u;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
    var number = linear_thread(wid, groups, local, 256u);
    // Places of a phase: across, and in fours down.
    let across = params.phases.z;
    let down = (params.phases.y + 3u) / 4u;
    let blocks = (params.product.x + ROWS - 1u) / ROWS;
    if number >= across * down * blocks * params.size.w * params.size.x * params.product.w {
        return;
    }
    let column = number % across;
    number = number / across;
    let top = number % down * 4u;
    number = number / down;
    let m0 = number % blocks * ROWS;
    number = number / blocks;
    let group = number % params.size.w;
    number = number / params.size.w;
    let image = number % params.size.x;
    let phase = phase_of(number / params.size.x);
#if to_input
    let place = phase.origin + vec2<u32>(top, column) * params.kernel.zw;
    // The last place of y that a tap leads to; taps lead back, by so much from one to the next.
    let corner = (place + params.around.xy) / params.kernel.zw;
    let back = vec2<u32>(0u) - phase.tap * params.around.zw / params.kernel.zw;
    let hop = vec2<u32>(0u) - params.step.xy * params.around.zw / params.kernel.zw;
    let between = 1u;
    let channels = params.size.z;
    let size = params.image.xy;
#else
    let place = vec2<u32>(top, column);
    let corner = place * params.kernel.zw - params.around.xy;
    let back = vec2<u32>(0u);
    let hop = params.around.zw;
    let between = params.kernel.z;
    let channels = params.size.y;
    let size = params.image.zw;
#endif
    let limit = limits();
    let rows = rows_at(group);
    var plane = (image * params.size.w + group) * channels * limit.x * limit.y;
    var weight = rows.x;
    let window = params.kernel.x * params.kernel.y;
#if to_input
    let channel_stride = params.size.y * window;
#else
    let channel_stride = window;
#endif
    var sums: array<vec4<f32>, ROWS>;
    var totals: array<vec4<f32>, ROWS>;
    for (var channel = 0u; channel < channels; channel++) {
        for (var i = 0u; i < phase.taps.x; i++) {
            let y = corner.x + back.x + i * hop.x;
            let start = weight + (phase.tap.x + i * params.step.x) * params.kernel.y + phase.tap.y;
            for (var j = 0u; j < phase.taps.y; j++) {
                let x = corner.y + back.y + j * hop.y;
                let at = vec3<u32>(plane + in_plane(y, x), y, x);
                let next = vec3<u32>(between * limit.y, between, 0u);
                let values = vec4<f32>(b_at(at), b_at(at + next), b_at(at + next * 2u), b_at(at + next * 3u));
                for (var r = 0u; r < ROWS; r++) {
                    let row = min(m0 + r, params.product.x - 1u) * rows.y;
                    sums[r] = fma(vec4<f32>(second[start + j * params.step.y + row]), values, sums[r]);
                }
            }
        }
        if channel % CHAIN == CHAIN - 1u {
            for (var r = 0u; r < ROWS; r++) {
                totals[r] += sums[r];
                sums[r] = vec4<f32>();
            }
        }
        plane += limit.x * limit.y;
        weight += channel_stride;
    }
    for (var r = 0u; r < ROWS; r++) {
        totals[r] += sums[r];
        let channel = (image * params.size.w + group) * params.product.x + m0 + r;
        for (var i = 0u; i < 4u; i++) {
#if to_input
            let row = place.x + i * params.kernel.z;
#else
            let row = place.x + i;
#endif
            if m0 + r < params.product.x && row < size.x && place.y < size.y {
                emit((channel * size.x + row) * size.y + place.y, totals[r][i]);
            }
        }
    }
}
