// The variance over a walk of the reduced dimensions, for each walk over the kept ones. The mean is taken out first:
// from the differences to the first element, then again from the differences to that mean.
//
// `serial`: a thread an output. Otherwise a workgroup an output, or (`part`) one of its parts, whose mean and squared
// differences `join` combines. Every order depends on the sizes only.
#import shared/grid
#import shared/bits

const THREADS: u32 = 256u;
const BLOCK: u32 = 128u;

struct Params {
    outputs: u32,
    // elements an output
    n: u32,
    // parts an output, and elements a part
    parts: u32,
    span: u32,
    offset: u32,
    divisor: f32,
    count: f32,
    pad: u32,
    outer_sizes: vec4<u32>,
    outer_strides: vec4<u32>,
    inner_sizes: vec4<u32>,
    inner_strides: vec4<u32>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

var<workgroup> partial: array<vec2<f32>, THREADS>;

fn place(index: u32, sizes: vec4<u32>, strides: vec4<u32>) -> u32 {
    var rest = index;
    var at = 0u;
    for (var d = 0u; d < 4u; d++) {
        at += rest % sizes[3u - d] * strides[3u - d];
        rest = rest / sizes[3u - d];
    }
    return at;
}

// The sums of the differences from `pivot` and of their squares, over every `step`th element, in blocks.
fn sums(base: u32, first: u32, last: u32, step: u32, pivot: f32) -> vec2<f32> {
    var all = vec2<f32>();
    var i = first;
    while i < last {
        var block = vec2<f32>();
        for (var k = 0u; k < BLOCK && i < last; k++) {
            let d = x[base + place(i, params.inner_sizes, params.inner_strides)] - pivot;
            block += vec2<f32>(d, d * d);
            i += step;
        }
        all += block;
    }
    return all;
}

fn finish(squares: f32) -> f32 {
    if params.n == 0u {
        return kw_nan();
    }
    if params.divisor == 0.0 {
        // A quotient by zero is whatever a driver makes of it.
        if squares > 0.0 {
            return kw_inf();
        }
        return kw_nan();
    }
    return squares / params.divisor;
}

// The sum over the workgroup's threads, to all of them.
fn meet(local: u32, value: vec2<f32>) -> vec2<f32> {
    partial[local] = value;
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
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
    let group = linear_group(wid, groups);
#if serial
    let output = group * THREADS + local;
    if output >= params.outputs {
        return;
    }
    if params.n == 0u {
        y[output] = kw_nan();
        return;
    }
    let base = params.offset + place(output, params.outer_sizes, params.outer_strides);
    var pivot = x[base];
    pivot += sums(base, 0u, params.n, 1u, pivot).x / params.count;
    let both = sums(base, 0u, params.n, 1u, pivot);
    y[output] = finish(max(both.y - both.x * (both.x / params.count), 0.0));
#else
#if join
    if group >= params.outputs {
        return;
    }
    // The part of this thread; every part holds its mean and its squared differences.
    let first = min(local * params.span, params.n);
    let count = f32(min(first + params.span, params.n) - first);
    let at = 2u * (group * params.parts + min(local, params.parts - 1u));
    let used = local < params.parts && count > 0.0;
    let origin = x[2u * group * params.parts];
    let shift = meet(local, select(vec2<f32>(), vec2<f32>((x[at] - origin) * count, 0.0), vec2<bool>(used))).x
        / params.count;
    let d = (x[at] - origin) - shift;
    let squares = meet(local, select(vec2<f32>(), vec2<f32>(x[at + 1u], d * d * count), vec2<bool>(used)));
    if local == 0u {
        y[group] = finish(squares.x + squares.y);
    }
#else
    if group >= params.outputs * params.parts {
        return;
    }
    let base = params.offset + place(group / params.parts, params.outer_sizes, params.outer_strides);
    let first = min((group % params.parts) * params.span, params.n);
    let last = min(first + params.span, params.n);
    if first == last {
#if part
        return;
#else
        if local == 0u {
            y[group] = kw_nan();
        }
        return;
#endif
    }
    let count = f32(last - first);
    var pivot = x[base + place(first, params.inner_sizes, params.inner_strides)];
    pivot += meet(local, sums(base, first + local, last, THREADS, pivot)).x / count;
    let both = meet(local, sums(base, first + local, last, THREADS, pivot));
    if local == 0u {
        let squares = both.y - both.x * (both.x / count);
#if part
        y[2u * group] = pivot + both.x / count;
        y[2u * group + 1u] = max(squares, 0.0);
#else
        y[group] = finish(max(squares, 0.0));
#endif
    }
#endif
#endif
}
