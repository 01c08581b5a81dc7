// y [entries, side, side] = rows of a times rows of c at the places of the pattern, as in `sparse/sampled`, read in fours.
// PARTS threads side by side share a result, so that neighbours read neighbours. Flag `blocks`: of blocks with sides of
// fours, PARTS threads make four rows by four columns, so that a four of either operand serves four sums.
#import shared/grid
#import sparse/params

#if blocks
const SIDE: u32 = 4u;
#else
const SIDE: u32 = 1u;
#endif
const RESULTS: u32 = 256u / PARTS;

@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<storage, read> rows: array<u32>;
#if unsigned
@group(0) @binding(3) var<storage, read> indices: array<u32>;
#else
@group(0) @binding(3) var<storage, read> indices: array<i32>;
#endif
@group(0) @binding(4) var<storage, read> a: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> c: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> status: array<atomic<u32>>;

var<workgroup> parts: array<vec4<f32>, 256>;

// The sum over neighbouring threads; all of the workgroup come here.
fn sum_of_neighbours(local: u32, part: vec4<f32>) -> vec4<f32> {
    if PARTS == 1u {
        return part;
    }
    workgroupBarrier();
    parts[local] = part;
    for (var width = PARTS / 2u; width > 0u; width = width / 2u) {
        workgroupBarrier();
        if local % PARTS < width {
            parts[local] += parts[local + width];
        }
    }
    workgroupBarrier();
    return parts[local / PARTS * PARTS];
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
    let at = linear_group(wid, groups) * RESULTS + local / PARTS;
    let part = local % PARTS;
    let across = params.side / SIDE;
    let k = at / (across * across);
    let row = at / across % across * SIDE;
    let column = at % across * SIDE;
    let is_result = at < params.count / (SIDE * SIDE);
    let width = params.columns / 4u;
    // A vector a row of the result: its sums with the columns.
    var sums: array<vec4<f32>, SIDE>;
    if is_result {
        var index = u32(indices[k]);
        if index >= params.bound {
            index = params.bound - 1u;
            if row == 0u && column == 0u && part == 0u {
                atomicAdd(&status[0], 1u);
            }
        }
        let left = (rows[k] * params.side + row) * width;
        let right = (index * params.side + column) * width;
        var block: array<vec4<f32>, SIDE>;
        var held = 0u;
        for (var d = part; d < width; d += PARTS) {
#if blocks
            let c0 = c[right + d];
            let c1 = c[right + width + d];
            let c2 = c[right + width * 2u + d];
            let c3 = c[right + width * 3u + d];
            for (var r = 0u; r < SIDE; r++) {
                let four = a[left + r * width + d];
                block[r] += vec4<f32>(dot(four, c0), dot(four, c1), dot(four, c2), dot(four, c3));
            }
#else
            // Four sums of their own, joined in the end.
            block[0] = fma(a[left + d], c[right + d], block[0]);
#endif
            held++;
            if held == BLOCK {
                for (var r = 0u; r < SIDE; r++) {
                    sums[r] += block[r];
                    block[r] = vec4<f32>();
                }
                held = 0u;
            }
        }
        for (var r = 0u; r < SIDE; r++) {
            sums[r] += block[r];
        }
    }
    for (var r = 0u; r < SIDE; r++) {
        let sum = sum_of_neighbours(local, sums[r]);
        if is_result && part == 0u {
#if blocks
            let to = (k * params.side + row + r) * params.side + column;
            y[to] = sum.x;
            y[to + 1u] = sum.y;
            y[to + 2u] = sum.z;
            y[to + 3u] = sum.w;
#else
            y[at] = (sum.x + sum.y) + (sum.z + sum.w);
#endif
        }
    }
}
