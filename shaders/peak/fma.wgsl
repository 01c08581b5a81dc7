// x = x * factor + summand, many times over: what the arithmetic of a device is measured with.
#import shared/grid

struct Params {
    // Groups of four numbers; a multiple of four.
    count: u32,
    // Multiplications with addition an element.
    turns: u32,
    factor: f32,
    summand: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> x: array<vec4<f32>>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = linear_thread(wid, groups, local, 256u) * 4u;
    if i + 3u >= params.count {
        return;
    }
    let factor = vec4<f32>(params.factor);
    let summand = vec4<f32>(params.summand);
    // Sixteen chains, so that one need not wait for another.
    var a = x[i];
    var b = x[i + 1u];
    var c = x[i + 2u];
    var d = x[i + 3u];
    for (var turn = 0u; turn < params.turns; turn += 4u) {
        a = fma(a, factor, summand);
        b = fma(b, factor, summand);
        c = fma(c, factor, summand);
        d = fma(d, factor, summand);
        a = fma(a, factor, summand);
        b = fma(b, factor, summand);
        c = fma(c, factor, summand);
        d = fma(d, factor, summand);
        a = fma(a, factor, summand);
        b = fma(b, factor, summand);
        c = fma(c, factor, summand);
        d = fma(d, factor, summand);
        a = fma(a, factor, summand);
        b = fma(b, factor, summand);
        c = fma(c, factor, summand);
        d = fma(d, factor, summand);
    }
    x[i] = a;
    x[i + 1u] = b;
    x[i + 2u] = c;
    x[i + 3u] = d;
}
