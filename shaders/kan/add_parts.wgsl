// to[j] = sum_p parts[p, j], in the order of the parts: the second stage of a sum that was split.
#import shared/grid

struct Params {
    count: u32,
    parts: u32,
    pad0: u32,
    pad1: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> parts: array<f32>;
// Fused steps may take the place of this function, with what it binds.
#if !epilogue
@group(0) @binding(2) var<storage, read_write> to: array<f32>;

fn emit(at: u32, value: f32) {
    to[at] = value;
}
#endif

const THREADS: u32 = 256u;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
    let j = linear_thread(wid, groups, local, THREADS);
    if j >= params.count {
        return;
    }
    var sum = 0.0;
    for (var p = 0u; p < params.parts; p++) {
        sum += parts[p * params.count + j];
    }
    emit(j, sum);
}
