// The gradient of a normalisation to its weight: for each channel, the sum of the result's gradient times the
// normalised input, over a part of its elements. A workgroup takes COLUMNS channels side by side, with THREADS / COLUMNS
// threads each, which meet in a tree.
#import shared/grid

const THREADS: u32 = 256u;
const BLOCK: u32 = 128u;
const COLUMNS: u32 = 32u;

struct Params {
    channels: u32,
    // elements of a channel side by side
    inner: u32,
    // elements of a channel, the parts they are split in, and elements a part
    n: u32,
    parts: u32,
    span: u32,
    // rows from one piece of a channel to the next; channels that share a row
    row_step: u32,
    per: u32,
    pad: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> g: array<f32>;
@group(0) @binding(3) var<storage, read> statistics: array<f32>;
@group(0) @binding(4) var<storage, read_write> sums: array<f32>;

var<workgroup> partial: array<f32, THREADS>;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
    let group = linear_group(wid, groups);
    let blocks = (params.channels + COLUMNS - 1u) / COLUMNS;
    if group >= blocks * params.parts {
        return;
    }
    let channel = (group / params.parts) * COLUMNS + local % COLUMNS;
    let part = group % params.parts;
    let first = part * params.span;
    // A channel beyond the last has nothing to take, but its threads meet the others.
    let last = select(first, min(first + params.span, params.n), channel < params.channels);
    var sum = 0.0;
    var i = first + local / COLUMNS;
    while i < last {
        var block = 0.0;
        for (var k = 0u; k < BLOCK && i < last; k++) {
            let outer = i / params.inner;
            let at = (outer * params.channels + channel) * params.inner + i % params.inner;
            let row = 3u * (outer * params.row_step + channel / params.per);
            block += g[at] * (((x[at] - statistics[row]) - statistics[row + 1u]) * statistics[row + 2u]);
            i += THREADS / COLUMNS;
        }
        sum += block;
    }
    partial[local] = sum;
    workgroupBarrier();
    for (var step = THREADS / 2u; step >= COLUMNS; step = step / 2u) {
        if local < step {
            partial[local] += partial[local + step];
        }
        workgroupBarrier();
    }
    if local < COLUMNS && channel < params.channels {
        sums[part * params.channels + channel] = partial[local];
    }
}
