// What the kernels of sparse products share: sizes, and the sum of a result's parts. A matrix lies in block rows, with
// blocks of side x side; PARTS threads that lie side by side in a workgroup sum one result, each every PARTS-th term.

const PARTS: u32 = 1u;
const BLOCK: u32 = 16u;

struct Params {
    // results
    count: u32,
    // block rows, entries, block columns
    rows: u32,
    entries: u32,
    bound: u32,
    // columns of the dense operands
    columns: u32,
    side: u32,
    pad0: u32,
    pad1: u32,
}

@group(0) @binding(0) var<uniform> params: Params;

var<workgroup> sums: array<f32, 256>;

// The sum over the parts in a tree, in every thread; all threads of the workgroup come here. Thread `local` holds part
// local / (256 / PARTS), so that neighbours read neighbours.
fn sum_of_parts(local: u32, part: f32) -> f32 {
    let results = 256u / PARTS;
    sums[local] = part;
    for (var width = PARTS / 2u; width > 0u; width = width / 2u) {
        workgroupBarrier();
        if local / results < width {
            sums[local] += sums[local + width * results];
        }
    }
    workgroupBarrier();
    return sums[local % results];
}
