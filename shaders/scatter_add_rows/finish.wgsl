// y[n, d] from sorted indices: a thread an output finds its row's range, and adds what lies before its first whole chunk,
// the chunks' sums, and what lies behind.
#import shared/grid
#import scatter_add_rows/sorted

@group(0) @binding(4) var<storage, read> totals: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;

// The first place whose index is at least `row`.
fn place_of(row: u32) -> u32 {
    var low = 0u;
    var high = params.count;
    while low < high {
        let middle = (low + high) / 2u;
        if keys[middle] < row {
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
    let at = linear_thread(wid, groups, local, 256u);
    if at >= params.rows * params.columns {
        return;
    }
    let column = at % params.columns;
    let first = place_of(at / params.columns);
    let last = place_of(at / params.columns + 1u);
    let head = (first + CHUNK - 1u) / CHUNK;
    let tail = last / CHUNK;
    if head >= tail {
        // No chunk is whole.
        y[at] = sum_of(first, last, column);
        return;
    }
    var sum = sum_of(first, head * CHUNK, column);
    for (var c0 = head; c0 < tail; c0 += BLOCK) {
        var block = 0.0;
        for (var c = c0; c < min(c0 + BLOCK, tail); c++) {
            block += totals[c * params.columns + column];
        }
        sum += block;
    }
    y[at] = sum + sum_of(tail * CHUNK, last, column);
}
