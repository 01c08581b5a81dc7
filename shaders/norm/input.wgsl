// The gradient of a normalisation to its input: (h - mean(h) - n mean(h n)) scale, h the result's gradient times the
// channel's weight, n the normalised input; without mean(h) where no mean was taken out (flag `centred`).
// Flags `batch` and `serial` as in the forward kernel.
#import shared/grid

const THREADS: u32 = 256u;
const BLOCK: u32 = 128u;

struct Params {
    rows: u32,
    n: u32,
    groups: u32,
    per: u32,
    inner: u32,
    jump: u32,
    count: f32,
    eps: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> g: array<f32>;
@group(0) @binding(3) var<storage, read> statistics: array<f32>;
#if weight
@group(0) @binding(4) var<storage, read> weight: array<f32>;
#if !epilogue
@group(0) @binding(5) var<storage, read_write> dx: array<f32>;
#endif
#else
#if !epilogue
@group(0) @binding(4) var<storage, read_write> dx: array<f32>;
#endif
#endif

// Fused steps may take the place of this function, with what it binds.
#if !epilogue
fn emit(at: u32, value: f32) {
    dx[at] = value;
}
#endif

var<workgroup> partial: array<vec2<f32>, THREADS>;

fn place(row: u32, i: u32) -> u32 {
#if batch
    return row * params.inner + i / params.inner * params.jump + i % params.inner;
#else
    return row * params.n + i;
#endif
}

// The result's gradient before the weight.
fn weighted(row: u32, i: u32, at: u32) -> f32 {
#if weight
#if batch
    return g[at] * weight[row];
#else
    return g[at] * weight[row % params.groups * params.per + i / params.inner];
#endif
#else
    return g[at];
#endif
}

fn normalised(row: u32, at: u32) -> f32 {
    return ((x[at] - statistics[3u * row]) - statistics[3u * row + 1u]) * statistics[3u * row + 2u];
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
    let group = linear_group(wid, groups);
#if serial
    let row = group * THREADS + local;
    let first = 0u;
    let step = 1u;
#else
    let row = group;
    let first = local;
    let step = THREADS;
#endif
    if row >= params.rows || params.n == 0u {
        return;
    }
    var sum = vec2<f32>();
    var next = first;
    while next < params.n {
        var block = vec2<f32>();
        for (var k = 0u; k < BLOCK && next < params.n; k++) {
            let at = place(row, next);
            let h = weighted(row, next, at);
            block += vec2<f32>(h, h * normalised(row, at));
            next += step;
        }
        sum += block;
    }
#if serial
#else
    partial[local] = sum;
    workgroupBarrier();
    for (var half = THREADS / 2u; half > 0u; half = half / 2u) {
        if local < half {
            partial[local] += partial[local + half];
        }
        workgroupBarrier();
    }
    sum = partial[0];
#endif
#if centred
    let mean = sum.x / params.count;
#else
    let mean = 0.0;
#endif
    let dot = sum.y / params.count;
    for (var i = first; i < params.n; i += step) {
        let at = place(row, i);
        emit(at, (weighted(row, i, at) - mean - normalised(row, at) * dot) * statistics[3u * row + 2u]);
    }
}
