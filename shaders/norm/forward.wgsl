// Normalisation of rows: (x - mean) / sqrt(var + eps), times the channel's weight, plus its bias; and the statistics.
// Flags: `centred` takes the mean out; `batch`: a row is a channel, in pieces; `serial`: a thread a row, else a
// workgroup. The mean is kept as a sum of two numbers, so that a large one costs no digits.
#import shared/grid

const THREADS: u32 = 256u;
const BLOCK: u32 = 128u;

struct Params {
    rows: u32,
    // elements a row
    n: u32,
    // rows run through so many groups, of `per` channels each
    groups: u32,
    per: u32,
    // elements of a channel side by side, and from one piece of a batch's row to the next
    inner: u32,
    jump: u32,
    count: f32,
    eps: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
#if weight
@group(0) @binding(2) var<storage, read> weight: array<f32>;
#if bias
@group(0) @binding(3) var<storage, read> bias: array<f32>;
#if !epilogue
@group(0) @binding(4) var<storage, read_write> y: array<f32>;
#endif
@group(0) @binding(5) var<storage, read_write> statistics: array<f32>;
#else
#if !epilogue
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
#endif
@group(0) @binding(4) var<storage, read_write> statistics: array<f32>;
#endif
#else
#if bias
@group(0) @binding(2) var<storage, read> bias: array<f32>;
#if !epilogue
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
#endif
@group(0) @binding(4) var<storage, read_write> statistics: array<f32>;
#else
#if !epilogue
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
#endif
@group(0) @binding(3) var<storage, read_write> statistics: array<f32>;
#endif
#endif

// Fused steps may take the place of this function, with what it binds.
#if !epilogue
fn emit(at: u32, value: f32) {
    y[at] = value;
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

fn channel(row: u32, i: u32) -> u32 {
#if batch
    return row;
#else
    return row % params.groups * params.per + i / params.inner;
#endif
}

// The sums of the differences from `pivot` and of their squares, over every `step`th element, in blocks.
fn sums(row: u32, first: u32, step: u32, pivot: f32) -> vec2<f32> {
    var all = vec2<f32>();
    var i = first;
    while i < params.n {
        var block = vec2<f32>();
        for (var k = 0u; k < BLOCK && i < params.n; k++) {
            let d = x[place(row, i)] - pivot;
            block += vec2<f32>(d, d * d);
            i += step;
        }
        all += block;
    }
    return all;
}

// The same over all elements: of this thread alone (`serial`), or of the workgroup.
fn all_sums(row: u32, local: u32, pivot: f32) -> vec2<f32> {
#if serial
    return sums(row, 0u, 1u, pivot);
#else
    partial[local] = sums(row, local, THREADS, pivot);
    workgroupBarrier();
    for (var step = THREADS / 2u; step > 0u; step = step / 2u) {
        if local < step {
            partial[local] += partial[local + step];
        }
        workgroupBarrier();
    }
    let sum = partial[0];
    workgroupBarrier();
    return sum;
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
#if centred
    var high = x[place(row, 0u)];
    high += all_sums(row, local, high).x / params.count;
    let both = all_sums(row, local, high);
    let low = both.x / params.count;
    let variance = max(both.y / params.count - low * low, 0.0);
#else
    let high = 0.0;
    let low = 0.0;
    let variance = all_sums(row, local, 0.0).y / params.count;
#endif
    let scale = 1.0 / sqrt(variance + params.eps);
    if first == 0u {
        statistics[3u * row] = high;
        statistics[3u * row + 1u] = low;
        statistics[3u * row + 2u] = scale;
    }
    for (var i = first; i < params.n; i += step) {
        let at = place(row, i);
        var value = ((x[at] - high) - low) * scale;
#if weight
        value *= weight[channel(row, i)];
#endif
#if bias
        value += bias[channel(row, i)];
#endif
        emit(at, value);
    }
}
