// y[row, k] = the sum of x[row, j] over all j whose index is k: a thread an output looks through the row's n indices. Without
// flag `some` there are none. An index outside 0..length is clamped; the first thread of a row counts them.
#import shared/grid

const BLOCK: u32 = 32u;

struct Params {
    // of y
    count: u32,
    length: u32,
    n: u32,
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
    if at >= params.count {
        return;
    }
    var sum = 0.0;
#if some
    let first = at / params.length * params.n;
    let k = at % params.length;
    // Sums of blocks: the error grows with the root of their number.
    var block = 0.0;
    var held = 0u;
    var outside = 0u;
    for (var j = 0u; j < params.n; j++) {
        // A negative index is a large one.
        let named = u32(index[first + j]);
        if named >= params.length {
            outside++;
        }
        if min(named, params.length - 1u) == k {
            block += x[first + j];
            held++;
            if held == BLOCK {
                sum += block;
                block = 0.0;
                held = 0u;
            }
        }
    }
    sum += block;
    if k == 0u && outside > 0u {
        atomicAdd(&status[0], outside);
    }
#endif
    y[at] = sum;
}
