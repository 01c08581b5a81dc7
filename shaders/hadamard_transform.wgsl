// The Walsh-Hadamard transform of contiguous rows of n, a power of two. A workgroup holds LEN elements, one row or
// several whole ones, and takes them through rounds of sums and differences of pairs 1, 2, 4, ... apart.
#import shared/grid

const THREADS: u32 = 256u;
const LEN: u32 = 1024u;

struct Params {
    count: u32,
    n: u32,
    // 1 / sqrt(n)
    scale: f32,
    pad: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

var<workgroup> held: array<f32, LEN>;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
    let first = linear_group(wid, groups) * LEN;
    if first >= params.count {
        return;
    }
    let here = min(LEN, params.count - first);
    for (var i = local; i < LEN; i += THREADS) {
        var value = 0.0;
        if i < here {
            // Scaled first, so that no sum overflows that need not.
            value = x[first + i] * params.scale;
        }
        held[i] = value;
    }
    workgroupBarrier();
    for (var h = 1u; h < params.n; h = h * 2u) {
        for (var pair = local; pair < LEN / 2u; pair += THREADS) {
            let low = (pair / h) * 2u * h + pair % h;
            let a = held[low];
            let b = held[low + h];
            held[low] = a + b;
            held[low + h] = a - b;
        }
        workgroupBarrier();
    }
    for (var i = local; i < here; i += THREADS) {
        y[first + i] = held[i];
    }
}
