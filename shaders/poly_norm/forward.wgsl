// The sum over i of weight[i-1] x^i / sqrt(mean(x^2i) + eps), plus bias, along rows: a thread a row (flag `serial`), or
// a workgroup. Large rows are divided by their largest element m first, and eps by m^2i. `numbers` keeps m and the roots.
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
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;
@group(0) @binding(5) var<storage, read_write> numbers: array<f32>;

var<workgroup> partial: array<f32, THREADS>;

// The sum, or the maximum, over the workgroup's threads, to all of them; a lone thread has it already.
fn meet(local: u32, value: f32, largest: bool) -> f32 {
#if serial
    return value;
#else
    partial[local] = value;
    workgroupBarrier();
    for (var step = THREADS / 2u; step > 0u; step = step / 2u) {
        if local < step {
            let other = partial[local + step];
            partial[local] = select(partial[local] + other, max(partial[local], other), largest);
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
    if row >= params.rows || params.n == 0u {
        return;
    }
    let base = row * params.n;
    var m = 0.0;
    for (var i = first; i < params.n; i += step) {
        m = max(m, abs(x[base + i]));
    }
    m = meet(local, m, true);
    if !(m > 1.0 || (params.eps == 0.0 && m > 0.0)) {
        m = 1.0;
    }
    var sums = array<f32, POWERS>();
    for (var i = first; i < params.n; i += step) {
        let u = x[base + i] / m;
        var power = 1.0;
        for (var p = 0u; p < POWERS; p++) {
            power *= u;
            sums[p] += power * power;
        }
    }
    var eps = params.eps;
    for (var p = 0u; p < POWERS; p++) {
        if m > 1.0 {
            eps = eps / m / m;
        }
        let root = sqrt(meet(local, sums[p], false) / params.count + eps);
        sums[p] = weight[p] / root;
        if first == 0u {
            numbers[row * (POWERS + 1u) + 1u + p] = root;
        }
    }
    if first == 0u {
        numbers[row * (POWERS + 1u)] = m;
    }
    for (var i = first; i < params.n; i += step) {
        let u = x[base + i] / m;
        var sum = 0.0;
        for (var p = 0u; p < POWERS; p++) {
            sum = (sum + sums[POWERS - 1u - p]) * u;
        }
        y[base + i] = sum + bias[0];
    }
}
