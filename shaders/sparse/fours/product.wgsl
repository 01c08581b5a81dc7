// y [rows * side, columns] = A b as in `sparse/product`, four columns at a time. Flag `blocks`: of blocks with sides of fours a
// thread makes four rows, so that an element of either operand serves four products.
#import shared/grid
#import sparse/fours/sum

@group(0) @binding(1) var<storage, read_write> y: array<vec4<f32>>;
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
#if blocks
@group(0) @binding(4) var<storage, read> values: array<vec4<f32>>;
#else
@group(0) @binding(4) var<storage, read> values: array<f32>;
#endif
@group(0) @binding(5) var<storage, read> b: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> status: array<atomic<u32>>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
    let at = linear_group(wid, groups) * RESULTS + local % RESULTS;
    let part = local / RESULTS;
    let across = params.columns / 4u;
    let row = at / across * ROWS;
    let column = at % across;
    let is_result = at < params.count / (4u * ROWS);
    var sums: array<vec4<f32>, ROWS>;
    if is_result {
        let block_row = row / params.side;
        // Negative ones are large.
        let start = u32(indptr[block_row]);
        let to = u32(indptr[block_row + 1u]);
        var outside = 0u;
        if part == 0u && (to < start || to > params.entries || (block_row == 0u && start != 0u)
                || (block_row + 1u == params.rows && to != params.entries)) {
            outside = 1u;
        }
        let last = min(to, params.entries);
        var block: array<vec4<f32>, ROWS>;
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
                let dense = index * params.side * across + column;
#if blocks
                for (var c = 0u; c < params.side; c += 4u) {
                    let b0 = b[dense + c * across];
                    let b1 = b[dense + (c + 1u) * across];
                    let b2 = b[dense + (c + 2u) * across];
                    let b3 = b[dense + (c + 3u) * across];
                    for (var r = 0u; r < ROWS; r++) {
                        let four = values[(value + r * params.side + c) / 4u];
                        block[r] = fma(four.xxxx, b0, block[r]);
                        block[r] = fma(four.yyyy, b1, block[r]);
                        block[r] = fma(four.zzzz, b2, block[r]);
                        block[r] = fma(four.wwww, b3, block[r]);
                    }
                }
#else
                for (var c = 0u; c < params.side; c++) {
                    block[0] = fma(vec4<f32>(values[value + c]), b[dense + c * across], block[0]);
                }
#endif
                held += params.side;
                if held >= BLOCK {
                    for (var r = 0u; r < ROWS; r++) {
                        sums[r] += block[r];
                        block[r] = vec4<f32>();
                    }
                    held = 0u;
                }
            }
        }
        for (var r = 0u; r < ROWS; r++) {
            sums[r] += block[r];
        }
        if column == 0u && row % params.side == 0u && outside > 0u {
            atomicAdd(&status[0], outside);
        }
    }
    for (var r = 0u; r < ROWS; r++) {
        let sum = sum_of_fours(local, sums[r]);
        if is_result && part == 0u {
            y[(row + r) * across + column] = sum;
        }
    }
}
