// One step of gradient descent over flat arrays: parameters p, gradients g, momentum buffers b.
#import shared/grid

struct Params {
    count: u32,
    momentum: f32,
    weight_decay: f32,
    // Gradients are limited to +- this.
    limit: f32,
    nesterov: u32,
    pad0: u32,
    pad1: u32,
    pad2: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> lr: array<f32>;
#if scaled
@group(0) @binding(2) var<storage, read> scale: array<f32>;
@group(0) @binding(3) var<storage, read_write> p: array<f32>;
@group(0) @binding(4) var<storage, read> g: array<f32>;
#if momentum
@group(0) @binding(5) var<storage, read_write> b: array<f32>;
#endif
#else
@group(0) @binding(2) var<storage, read_write> p: array<f32>;
@group(0) @binding(3) var<storage, read> g: array<f32>;
#if momentum
@group(0) @binding(4) var<storage, read_write> b: array<f32>;
#endif
#endif

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = linear_thread(wid, groups, local, 256u);
    if i >= params.count {
        return;
    }
    var grad = g[i];
#if scaled
    grad = grad * scale[0];
#endif
    // Comparisons, so that a NaN stays.
    if grad > params.limit {
        grad = params.limit;
    }
    if grad < -params.limit {
        grad = -params.limit;
    }
    grad = grad + params.weight_decay * p[i];
#if momentum
    let buffer = params.momentum * b[i] + grad;
    b[i] = buffer;
    grad = select(buffer, grad + params.momentum * buffer, params.nesterov != 0u);
#endif
    p[i] = p[i] - lr[0] * grad;
}
