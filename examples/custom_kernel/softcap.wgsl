// y = cap tanh(x / cap), or (flag `backward`) g times its slope, 1 - tanh^2(x / cap).
#import shared/grid
#import shared/tanh

struct Params {
    count: u32,
    cap: f32,
    pad0: u32,
    pad1: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
#if backward
@group(0) @binding(2) var<storage, read> g: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
#else
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
#endif

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
    let i = linear_thread(wid, groups, local, 256u);
    if i >= params.count {
        return;
    }
    let t = kw_tanh(x[i] / params.cap);
#if backward
    y[i] = g[i] * (1.0 - t * t);
#else
    y[i] = params.cap * t;
#endif
}
