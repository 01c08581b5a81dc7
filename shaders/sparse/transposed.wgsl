// y [bound * side, columns] = Aᵀ b, from entries sorted by their columns: `keys`, with `positions` among the entries, whose
// rows are in `rows`. Without flag `some` there is nothing to add.
#import shared/grid
#import sparse/params

@group(0) @binding(1) var<storage, read_write> y: array<f32>;
#if some
@group(0) @binding(2) var<storage, read> rows: array<u32>;
@group(0) @binding(3) var<storage, read> keys: array<u32>;
@group(0) @binding(4) var<storage, read> positions: array<u32>;
@group(0) @binding(5) var<storage, read> values: array<f32>;
@group(0) @binding(6) var<storage, read> b: array<f32>;

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

// A part of a row's sum.
fn part_of(row: u32, column: u32, part: u32) -> f32 {
    let key = row / params.side;
    let last = place_of(key + 1u);
    var sum = 0.0;
    var block = 0.0;
    var held = 0u;
    for (var p = place_of(key) + part; p < last; p += PARTS) {
        let k = positions[p];
        let first = rows[k] * params.side;
        let value = k * params.side * params.side + row % params.side;
        for (var r = 0u; r < params.side; r++) {
            block += values[value + r * params.side] * b[(first + r) * params.columns + column];
        }
        held += params.side;
        if held >= BLOCK {
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
        sum = part_of(at / params.columns, at % params.columns, local / results);
    }
#endif
    sum = sum_of_parts(local, sum);
    if at < params.count && local < results {
        y[at] = sum;
    }
}
