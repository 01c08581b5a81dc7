// y [entries, side, side] = rows of a times rows of c at the places of the pattern. Columns outside 0..bound are clamped and
// counted. Without flag `some` there is nothing to add.
#import shared/grid
#import sparse/params

@group(0) @binding(1) var<storage, read_write> y: array<f32>;
#if some
@group(0) @binding(2) var<storage, read> rows: array<u32>;
#if unsigned
@group(0) @binding(3) var<storage, read> indices: array<u32>;
#else
@group(0) @binding(3) var<storage, read> indices: array<i32>;
#endif
@group(0) @binding(4) var<storage, read> a: array<f32>;
@group(0) @binding(5) var<storage, read> c: array<f32>;
@group(0) @binding(6) var<storage, read_write> status: array<atomic<u32>>;

// A part of a dot product.
fn part_of(at: u32, part: u32) -> f32 {
    let area = params.side * params.side;
    let k = at / area;
    let place = at % area;
    var index = u32(indices[k]);
    if index >= params.bound {
        index = params.bound - 1u;
        if place == 0u && part == 0u {
            atomicAdd(&status[0], 1u);
        }
    }
    let left = (rows[k] * params.side + place / params.side) * params.columns;
    let right = (index * params.side + place % params.side) * params.columns;
    var sum = 0.0;
    var block = 0.0;
    var held = 0u;
    for (var d = part; d < params.columns; d += PARTS) {
        block += a[left + d] * c[right + d];
        held++;
        if held == BLOCK {
            sum += block;
            block = 0.0;
            held = 0u;
        }
    }
    return sum + block;
}
#endif

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
    let results = 256u / PARTS;
    let at = linear_group(wid, groups) * results + local % results;
    var sum = 0.0;
#if some
    if at < params.count {
        sum = part_of(at, local / results);
    }
#endif
    sum = sum_of_parts(local, sum);
    if at < params.count && local < results {
        y[at] = sum;
    }
}
