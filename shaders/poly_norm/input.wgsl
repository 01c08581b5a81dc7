// The gradient of poly_norm to its input, and for each row and power the sum of the result's gradient g times the
// normalised power: a thread a row (flag `serial`), or a workgroup. `numbers` holds m and the roots, as forward left them.
#import shared/grid

const THREADS: u32 = 256u;
const POWERS: u32 = 3u;

struct Params {
    rows: u32,
    n: u32,
    count: f32,
    eps: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> g: array<f32>;
@group(0) @binding(3) var<storage, read> weight: array<f32>;
@group(0) @binding(4) var<storage, read> numbers: array<f32>;
@group(0) @binding(5) var<storage, read_write> dx: array<f32>;
@group(0) @binding(6) var<storage, read_write> dots: array<f32>;

var<workgroup> partial: array<f32, THREADS>;

// The sum over the workgroup's threads, to all of them; a lone thread has it already.
fn meet(local: u32, value: f32) -> f32 {
#if serial
    return value;
#else
    partial[local] = value;
    workgroupBarrier();
    for (var step = THREADS / 2u; step > 0u; step = step / 2u) {
        if local < step {
            partial[local] += partial[local + step];
        }
        workgroupBarrier();
    }
    let all = partial[0];
    workgroupBarrier();
    return all;
#endif
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
    if row >= params.rows {
        return;
    }
    if params.n == 0u {
        // The sums over nothing.
        for (var p = first; p < POWERS; p += step) {
            dots[row * POWERS + p] = 0.0;
        }
        return;
    }
    let base = row * params.n;
    let own = row * (POWERS + 1u);
    let m = numbers[own];
    var means = array<f32, POWERS>();
    for (var i = first; i < params.n; i += step) {
        let u = x[base + i] / m;
        let slope = g[base + i];
        var power = 1.0;
        for (var p = 0u; p < POWERS; p++) {
            power *= u;
            means[p] += slope * power;
        }
    }
    for (var p = 0u; p < POWERS; p++) {
        let dot = meet(local, means[p]) / numbers[own + 1u + p];
        means[p] = dot / params.count;
        if first == 0u {
            dots[row * POWERS + p] = dot;
        }
    }
    for (var i = first; i < params.n; i += step) {
        let u = x[base + i] / m;
        let slope = g[base + i];
        var below = 1.0;
        var sum = 0.0;
        for (var p = 0u; p < POWERS; p++) {
            let scaled = below / numbers[own + 1u + p];
            sum += f32(p + 1u) * scaled * (weight[p] * (slope - scaled * u * means[p]));
            below *= u;
        }
        dx[base + i] = sum / m;
    }
}
