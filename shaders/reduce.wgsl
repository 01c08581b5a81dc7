// One output for each walk over the kept dimensions: the sum, mean, maximum or minimum over a walk of the reduced ones.
//
// `serial`: a thread an output, element by element. `columns`: a workgroup takes COLUMNS outputs that lie side by side,
// 8 threads each. Otherwise a workgroup an output, whose threads take every 256th element. Where several threads share
// an output (or one of its `parts`), they meet in a tree. Every order depends on the sizes only. `line`: what is reduced is
// one walk of equal steps, whose places need no divisions.
#import shared/grid
#import shared/bits

alias elem = f32;
const THREADS: u32 = 256u;
const BLOCK: u32 = 128u;
const COLUMNS: u32 = 32u;

struct Params {
    outputs: u32,
    // elements an output
    n: u32,
    // parts an output, and elements a part
    parts: u32,
    span: u32,
    offset: u32,
    // 1 where the result is a mean, over `count` elements
    mean: f32,
    count: f32,
    pad: u32,
    outer_sizes: vec4<u32>,
    outer_strides: vec4<u32>,
    inner_sizes: vec4<u32>,
    inner_strides: vec4<u32>,
}

@group(0) @binding(0) var<uniform> params: Params;
// Fused steps may take the place of these two functions, with what they bind.
#if !load
@group(0) @binding(1) var<storage, read> x: array<elem>;

fn load(at: u32) -> elem {
    return x[at];
}
#endif
#if !epilogue
@group(0) @binding(2) var<storage, read_write> y: array<elem>;

fn emit(at: u32, value: elem) {
    y[at] = value;
}
#endif

var<workgroup> partial: array<elem, THREADS>;

fn place(index: u32, sizes: vec4<u32>, strides: vec4<u32>) -> u32 {
    var rest = index;
    var at = 0u;
    for (var d = 0u; d < 4u; d++) {
        at += rest % sizes[3u - d] * strides[3u - d];
        rest = rest / sizes[3u - d];
    }
    return at;
}

// Where the i-th element of an output lies, from its first.
fn element(i: u32) -> u32 {
#if line
    return i * params.inner_strides.w;
#else
    return place(i, params.inner_sizes, params.inner_strides);
#endif
}

fn join(a: elem, b: elem) -> elem {
#if max
    if b > a || kw_is_nan(b) {
        return b;
    }
    return a;
#else
#if min
    if b < a || kw_is_nan(b) {
        return b;
    }
    return a;
#else
    return a + b;
#endif
#endif
}

fn nothing() -> elem {
#if max
    return -kw_inf();
#else
#if min
    return kw_inf();
#else
    return elem(0);
#endif
#endif
}

fn finish(sum: elem) -> elem {
#if floats
    if params.mean != 0.0 {
        return sum / params.count;
    }
#endif
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
    let base = params.offset + place(output, params.outer_sizes, params.outer_strides);
    // Sums of blocks: the error grows with the root of n rather than with n.
    var sum = nothing();
    for (var i0 = 0u; i0 < params.n; i0 += BLOCK) {
        var block = nothing();
        for (var i = i0; i < min(i0 + BLOCK, params.n); i++) {
            block = join(block, load(base + element(i)));
        }
        sum = join(sum, block);
    }
    emit(output, finish(sum));
#else
#if columns
    let blocks = (params.outputs + COLUMNS - 1u) / COLUMNS;
    if group >= blocks * params.parts {
        return;
    }
    let output = (group / params.parts) * COLUMNS + local % COLUMNS;
    let first = (group % params.parts) * params.span;
    // A column beyond the last has nothing to take, but its threads meet the others.
    let last = select(first, min(first + params.span, params.n), output < params.outputs);
    let base = params.offset + place(output, params.outer_sizes, params.outer_strides);
    var sum = nothing();
    for (var i = first + local / COLUMNS; i < last; i += THREADS / COLUMNS) {
        sum = join(sum, load(base + element(i)));
    }
    partial[local] = sum;
    workgroupBarrier();
    for (var half = THREADS / 2u; half >= COLUMNS; half = half / 2u) {
        if local < half {
            partial[local] = join(partial[local], partial[local + half]);
        }
        workgroupBarrier();
    }
    if local < COLUMNS && output < params.outputs {
        emit(output * params.parts + group % params.parts, finish(partial[local]));
    }
#else
    if group >= params.outputs * params.parts {
        return;
    }
    let base = params.offset + place(group / params.parts, params.outer_sizes, params.outer_strides);
    let first = (group % params.parts) * params.span;
    let last = min(first + params.span, params.n);
    var sum = nothing();
    for (var i0 = first; i0 < last; i0 += THREADS * BLOCK) {
        var block = nothing();
        for (var i = i0 + local; i < min(i0 + THREADS * BLOCK, last); i += THREADS) {
            block = join(block, load(base + element(i)));
        }
        sum = join(sum, block);
    }
    partial[local] = sum;
    workgroupBarrier();
    for (var half = THREADS / 2u; half > 0u; half = half / 2u) {
        if local < half {
            partial[local] = join(partial[local], partial[local + half]);
        }
        workgroupBarrier();
    }
    if local == 0u {
        emit(group, finish(partial[0]));
    }
#endif
#endif
}
