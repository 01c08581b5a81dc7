// The gradient of a convolution to its weight (flag `to_weight`) where a group has few channels and many places: a workgroup
// of THREADS sums ROWS channels of y times 4 VECTORS taps of x over a part of the images, each thread every THREADS-th
// place; then the threads' sums are added in a tree.
#import shared/grid
#import conv2d/places

const THREADS: u32 = 256u;
const ROWS: u32 = 1u;
const VECTORS: u32 = 3u;
const TAPS: u32 = VECTORS * 4u;

var<workgroup> taps: array<vec3<u32>, TAPS>;
var<workgroup> partial: array<vec4<f32>, THREADS>;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
    var number = linear_group(wid, groups);
    let across = (params.product.y + TAPS - 1u) / TAPS;
    let down = (params.product.x + ROWS - 1u) / ROWS;
    if number >= across * down * params.size.w * params.split.y {
        return;
    }
    let n0 = number % across * TAPS;
    number = number / across;
    let m0 = number % down * ROWS;
    number = number / down;
    let group = number % params.size.w;
    let part = number / params.size.w;
    let end = min((part + 1u) * params.split.x, params.product.z);
    for (var t = local; t < TAPS; t += THREADS) {
        taps[t] = column_at(phase_of(0u), group, n0 + t);
    }
    workgroupBarrier();

    // The place of y is carried along: no division in the loop.
    let out = params.image.zw;
    let places = out.x * out.y;
    var k = part * params.split.x + local;
    var image = k / places;
    var row = k % places / out.y;
    var column = k % out.y;
    let image_step = THREADS / places;
    let row_step = THREADS % places / out.y;
    let column_step = THREADS % out.y;
    let y_image = params.size.z * params.size.w * places;
    let x_image = params.size.y * params.size.w * params.image.x * params.image.y;
    let rows = rows_at(group);
    var sums: array<vec4<f32>, ROWS * VECTORS>;
    while k < end {
        let corner = vec2<u32>(row, column) * params.kernel.zw - params.around.xy;
        let at = vec3<u32>(image * x_image + in_plane(corner.x, corner.y), corner);
        let start = image * y_image + row * out.y + column + rows.x;
        for (var v = 0u; v < VECTORS; v++) {
            let t = v * 4u;
            let values = vec4<f32>(b_at(at + taps[t]), b_at(at + taps[t + 1u]), b_at(at + taps[t + 2u]), b_at(at + taps[t + 3u]));
            for (var r = 0u; r < ROWS; r++) {
                let dy = second[start + min(m0 + r, params.product.x - 1u) * rows.y];
                sums[r * VECTORS + v] = fma(vec4<f32>(dy), values, sums[r * VECTORS + v]);
            }
        }
        k += THREADS;
        column += column_step;
        let over = column >= out.y;
        column -= select(0u, out.y, over);
        row += row_step + select(0u, 1u, over);
        let beyond = row >= out.x;
        row -= select(0u, out.x, beyond);
        image += image_step + select(0u, 1u, beyond);
    }

    let behind = part * params.product.x * params.product.y * params.size.w;
    for (var s = 0u; s < ROWS * VECTORS; s++) {
        partial[local] = sums[s];
        for (var half = THREADS / 2u; half > 0u; half = half / 2u) {
            workgroupBarrier();
            if local < half {
                partial[local] += partial[local + half];
            }
        }
        workgroupBarrier();
        let m = m0 + s / VECTORS;
        let n = n0 + s % VECTORS * 4u + local;
        if local < 4u && m < params.product.x && n < params.product.y {
            emit(behind + (group * params.product.x + m) * params.product.y + n, partial[0][local]);
        }
        workgroupBarrier();
    }
}
