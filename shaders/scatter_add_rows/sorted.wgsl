// Rows of x [count, columns] in the order of their sorted indices.

const CHUNK: u32 = 512u;
const BLOCK: u32 = 32u;

struct Params {
    count: u32,
    rows: u32,
    columns: u32,
    pad: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
// Indices in ascending order, and which position each had.
@group(0) @binding(1) var<storage, read> keys: array<u32>;
@group(0) @binding(2) var<storage, read> positions: array<u32>;
@group(0) @binding(3) var<storage, read> x: array<f32>;

// The sum of a column over a range of the order, in sums of blocks.
fn sum_of(first: u32, last: u32, column: u32) -> f32 {
    var sum = 0.0;
    for (var k0 = first; k0 < last; k0 += BLOCK) {
        var block = 0.0;
        for (var k = k0; k < min(k0 + BLOCK, last); k++) {
            block += x[positions[k] * params.columns + column];
        }
        sum += block;
    }
    return sum;
}
