// y [rows * side, columns] = A b. Columns outside 0..bound are clamped and counted, as are wrong row ranges. Without flag
// `some` there is nothing to add.
#import shared/grid
#import sparse/params

@group(0) @binding(1) var<storage, read_write> y: array<f32>;
#if some
#if unsigned_indptr
@group(0) @binding(2) var<storage, read> indptr: array<u32>;
#else
@group(0) @binding(2) var<storage, read> indptr: array<i32>;
#endif
#if unsigned
@group(0) @binding(3) var<storage, read> indices: array<u32>;
#else
@group(0) @binding(3) var<storage, read> indices: array<i32>;
#endif
@group(0) @binding(4) var<storage, read> values: array<f32>;
@group(0) @binding(5) var<storage, read> b: array<f32>;
@group(0) @binding(6) var<storage, read_write> status: array<atomic<u32>>;

// A part of a row's sum.
fn part_of(row: u32, column: u32, part: u32) -> f32 {
    let block_row = row / params.side;
    // Negative ones are large.
    let start = u32(indptr[block_row]);
    let to = u32(indptr[block_row + 1u]);
    let counts = column == 0u && row % params.side == 0u;
    var outside = 0u;
    if part == 0u && (to < start || to > params.entries || (block_row == 0u && start != 0u)
            || (block_row + 1u == params.rows && to != params.entries)) {
        outside = 1u;
    }
    let last = min(to, params.entries);
    var sum = 0.0;
    var block = 0.0;
    var held = 0u;
    // Compared before the part is added: `start` may be anything.
    if start < last {
        for (var k = start + part; k < last; k += PARTS) {
            var index = u32(indices[k]);
            if index >= params.bound {
                index = params.bound - 1u;
                outside++;
            }
            let value = (k * params.side + row % params.side) * params.side;
            for (var c = 0u; c < params.side; c++) {
                block += values[value + c] * b[(index * params.side + c) * params.columns + column];
            }
            held += params.side;
            if held >= BLOCK {
                sum += block;
                block = 0.0;
                held = 0u;
            }
        }
    }
    if counts && outside > 0u {
        atomicAdd(&status[0], outside);
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
        sum = part_of(at / params.columns, at % params.columns, local / results);
    }
#endif
    sum = sum_of_parts(local, sum);
    if at < params.count && local < results {
        y[at] = sum;
    }
}
