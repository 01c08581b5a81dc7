// y [bound * side, columns] = Aᵀ b as in `sparse/transposed`, four columns at a time. Flag `blocks`: of blocks with sides of
// fours a thread makes four rows.
#import shared/grid
#import sparse/fours/sum

@group(0) @binding(1) var<storage, read_write> y: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> rows: array<u32>;
@group(0) @binding(3) var<storage, read> keys: array<u32>;
@group(0) @binding(4) var<storage, read> positions: array<u32>;
#if blocks
@group(0) @binding(5) var<storage, read> values: array<vec4<f32>>;
#else
@group(0) @binding(5) var<storage, read> values: array<f32>;
#endif
@group(0) @binding(6) var<storage, read> b: array<vec4<f32>>;

// The first place whose column is at least `key`.
fn place_of(key: u32) -> u32 {
    var low = 0u;
    var high = params.entries;
    while low < high {
        let middle = (low + high) / 2u;
        if keys[middle] < key {
            low = middle + 1u;
        } else {
            high = middle;
        }
    }
    return low;
}

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
        let key = row / params.side;
        let last = place_of(key + 1u);
        var block: array<vec4<f32>, ROWS>;
        var held = 0u;
        for (var p = place_of(key) + part; p < last; p += PARTS) {
            let k = positions[p];
            let dense = rows[k] * params.side * across + column;
            let value = k * params.side * params.side + row % params.side;
            for (var r = 0u; r < params.side; r++) {
                let other = b[dense + r * across];
#if blocks
                let four = values[(value + r * params.side) / 4u];
                block[0] = fma(four.xxxx, other, block[0]);
                block[1] = fma(four.yyyy, other, block[1]);
                block[2] = fma(four.zzzz, other, block[2]);
                block[3] = fma(four.wwww, other, block[3]);
#else
                block[0] = fma(vec4<f32>(values[value + r * params.side]), other, block[0]);
#endif
            }
            held += params.side;
            if held >= BLOCK {
                for (var r = 0u; r < ROWS; r++) {
                    sums[r] += block[r];
                    block[r] = vec4<f32>();
                }
                held = 0u;
            }
        }
        for (var r = 0u; r < ROWS; r++) {
            sums[r] += block[r];
        }
    }
    for (var r = 0u; r < ROWS; r++) {
        let sum = sum_of_fours(local, sums[r]);
        if is_result && part == 0u {
            y[(row + r) * across + column] = sum;
        }
    }
}
