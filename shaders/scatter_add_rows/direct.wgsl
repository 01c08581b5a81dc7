// y[n, d] = the sum of x[k, d] over all k whose index is n: a thread an output looks through all indices. Without flag
// `some` there are none. An index outside 0..rows is clamped; the first thread counts them.
#import shared/grid

const BLOCK: u32 = 32u;

struct Params {
    count: u32,
    rows: u32,
    columns: u32,
    pad: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
#if some
@group(0) @binding(2) var<storage, read> x: array<f32>;
#if unsigned
@group(0) @binding(3) var<storage, read> index: array<u32>;
#else
@group(0) @binding(3) var<storage, read> index: array<i32>;
#endif
@group(0) @binding(4) var<storage, read_write> status: array<atomic<u32>>;
#endif

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
    let at = linear_thread(wid, groups, local, 256u);
    if at >= params.rows * params.columns {
        return;
    }
    var sum = 0.0;
#if some
    let row = at / params.columns;
    let column = at % params.columns;
    // Sums of blocks: the error grows with the root of their number.
    var block = 0.0;
    var held = 0u;
    var outside = 0u;
    for (var k = 0u; k < params.count; k++) {
        // A negative index is a large one.
        let named = u32(index[k]);
        if named >= params.rows {
            outside++;
        }
        if min(named, params.rows - 1u) == row {
            block += x[k * params.columns + column];
            held++;
            if held == BLOCK {
                sum += block;
                block = 0.0;
                held = 0u;
            }
        }
    }
    sum += block;
    if at == 0u && outside > 0u {
        atomicAdd(&status[0], outside);
    }
#endif
    y[at] = sum;
}
