// One step of Adam or AdamW over flat arrays: parameters p, gradients g, moments m and v.
//
// t = step + 1; the bias corrections 1 - beta^t are -expm1(t ln beta), accurate from the first step on.
#import shared/grid
#import shared/exp

struct Params {
    count: u32,
    beta1: f32,
    // 1 - beta1, rounded once.
    rate1: f32,
    beta2: f32,
    rate2: f32,
    log_beta1: f32,
    log_beta2: f32,
    eps: f32,
    weight_decay: f32,
    // Gradients are limited to +- this.
    limit: f32,
    // 1: the decay works beside the moments (AdamW).
    decoupled: u32,
    pad: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> lr: array<f32>;
@group(0) @binding(2) var<storage, read> step_before: array<i32>;
#if scaled
@group(0) @binding(3) var<storage, read> scale: array<f32>;
@group(0) @binding(4) var<storage, read_write> p: array<f32>;
@group(0) @binding(5) var<storage, read> g: array<f32>;
@group(0) @binding(6) var<storage, read_write> m: array<f32>;
@group(0) @binding(7) var<storage, read_write> v: array<f32>;
#else
@group(0) @binding(3) var<storage, read_write> p: array<f32>;
@group(0) @binding(4) var<storage, read> g: array<f32>;
@group(0) @binding(5) var<storage, read_write> m: array<f32>;
@group(0) @binding(6) var<storage, read_write> v: array<f32>;
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
    let t = f32(step_before[0]) + 1.0;
    let bias1 = -kw_expm1(t * params.log_beta1);
    let bias2 = -kw_expm1(t * params.log_beta2);
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
    var value = p[i];
    let decay = params.weight_decay * value;
    if params.decoupled != 0u {
        value = value - lr[0] * decay;
    } else {
        grad = grad + decay;
    }
    let first = m[i] + params.rate1 * (grad - m[i]);
    let second = params.beta2 * v[i] + params.rate2 * grad * grad;
    m[i] = first;
    v[i] = second;
    p[i] = value - lr[0] / bias1 * first / (sqrt(second) / sqrt(bias2) + params.eps);
}
