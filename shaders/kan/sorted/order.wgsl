// The rows of each input in the order of their points' cells, a block of rows by itself: pairs of row and cell, [I, B], those
// of NaN last.
//
// A workgroup sorts one input's rows of one block, by counting. Thread t takes rows t, t + THREADS, ... and counts each
// interval by itself; its rows of an interval come after those of the threads before it. So no two threads write one count,
// and the order is the same in every run.
#import shared/grid
#import kan/basis

const THREADS: u32 = 64u;
// Intervals, and one more key for NaN.
const KEYS: u32 = 6u;

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> cells: array<i32>;
@group(0) @binding(3) var<storage, read_write> order: array<vec2<i32>>;

// [KEYS, THREADS]
var<workgroup> counts: array<u32, KEYS * THREADS>;
var<workgroup> totals: array<u32, THREADS>;

fn key(cell: i32) -> u32 {
    return select(min(kan_start(cell), KEYS - 2u), KEYS - 1u, cell == KAN_NAN_CELL);
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
    let group = linear_group(wid, groups);
    let first = group / params.inputs * params.block;
    if first >= params.rows {
        return;
    }
    let i = group % params.inputs;
    let last = min(first + params.block, params.rows);
    for (var k = 0u; k < KEYS; k++) {
        counts[k * THREADS + local] = 0u;
    }
    for (var row = first + local; row < last; row += THREADS) {
        let v = x[row * params.inputs + i];
        var cell = KAN_NAN_CELL;
        if !kw_is_nan(v) {
            cell = kan_cell(v);
        }
        // Kept: found anew it might be another one, as rounding is the compiler's.
        cells[i * params.rows + row] = cell;
        counts[key(cell) * THREADS + local] += 1u;
    }
    workgroupBarrier();
    var total = 0u;
    for (var k = local * KEYS; k < (local + 1u) * KEYS; k++) {
        total += counts[k];
    }
    totals[local] = total;
    workgroupBarrier();
    for (var step = 1u; step < THREADS; step *= 2u) {
        var before = 0u;
        if local >= step {
            before = totals[local - step];
        }
        workgroupBarrier();
        totals[local] += before;
        workgroupBarrier();
    }
    // Counts become places.
    var place = totals[local] - total;
    for (var k = local * KEYS; k < (local + 1u) * KEYS; k++) {
        let here = counts[k];
        counts[k] = place;
        place += here;
    }
    workgroupBarrier();
    let to = i * params.rows + first;
    for (var row = first + local; row < last; row += THREADS) {
        let cell = cells[i * params.rows + row];
        let count = key(cell) * THREADS + local;
        order[to + counts[count]] = vec2<i32>(i32(row), cell);
        counts[count] += 1u;
    }
}
