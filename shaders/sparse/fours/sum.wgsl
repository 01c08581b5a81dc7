// The sum of a result's parts, as `sum_of_parts` of `sparse/params`, where a result is ROWS vectors of four columns.
#import sparse/params

// Rows of the result that a thread makes: 4 where blocks have sides of fours, else 1.
const ROWS: u32 = 1u;
const RESULTS: u32 = 256u / PARTS;

var<workgroup> fours: array<vec4<f32>, 256>;

// All threads of the workgroup come here. Thread `local` holds part local / RESULTS.
fn sum_of_fours(local: u32, part: vec4<f32>) -> vec4<f32> {
    if PARTS == 1u {
        return part;
    }
    workgroupBarrier();
    fours[local] = part;
    for (var width = PARTS / 2u; width > 0u; width = width / 2u) {
        workgroupBarrier();
        if local / RESULTS < width {
            fours[local] += fours[local + width * RESULTS];
        }
    }
    workgroupBarrier();
    return fours[local % RESULTS];
}
