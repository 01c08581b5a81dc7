// Running sums along rows whose elements lie `inner` apart; flag `reverse` begins at the end.
//
// `serial`: a thread a row. Otherwise a workgroup a row, or (`sums`, `started`) one of its parts, tile after tile:
// each thread sums EACH neighbours, the threads' sums are scanned, and the tile's sum joins that of the tiles before.
// `sums` gives the parts' sums only, `starts` turns them into what each part begins with, `started` begins there.
#import shared/grid

const THREADS: u32 = 256u;
const EACH: u32 = 8u;
const BLOCK: u32 = 64u;

struct Params {
    rows: u32,
    n: u32,
    inner: u32,
    // parts a row, and elements a part: a multiple of a tile
    parts: u32,
    span: u32,
    pad0: u32,
    pad1: u32,
    pad2: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
#if started
@group(0) @binding(3) var<storage, read> begin: array<f32>;
#endif

var<workgroup> before: array<f32, THREADS>;
var<workgroup> after: array<f32, THREADS>;

// Where the k-th element to add lies.
fn place(row: u32, k: u32) -> u32 {
#if reverse
    let i = params.n - 1u - k;
#else
    let i = k;
#endif
    return (row / params.inner * params.n + i) * params.inner + row % params.inner;
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
    let group = linear_group(wid, groups);
#if serial
    let row = group * THREADS + local;
    if row >= params.rows {
        return;
    }
    // Sums of blocks: the error grows with the number of blocks.
    var sum = 0.0;
    var k = 0u;
    while k < params.n {
        var block = 0.0;
        for (var i = 0u; i < BLOCK && k < params.n; i++) {
            let at = place(row, k);
            block += x[at];
            y[at] = sum + block;
            k++;
        }
        sum += block;
    }
#else
#if starts
    let row = group * THREADS + local;
    if row >= params.rows {
        return;
    }
    var sum = 0.0;
    for (var part = 0u; part < params.parts; part++) {
        y[row * params.parts + part] = sum;
        sum += x[row * params.parts + part];
    }
#else
    if group >= params.rows * params.parts {
        return;
    }
    let row = group / params.parts;
    let part = group % params.parts;
    let last = min((part + 1u) * params.span, params.n);
#if started
    var sum = begin[group];
#else
    var sum = 0.0;
#endif
    for (var first = part * params.span; first < last; first += THREADS * EACH) {
        let mine = first + local * EACH;
        let end = min(mine + EACH, last);
        var total = 0.0;
        for (var k = mine; k < end; k++) {
            total += x[place(row, k)];
        }
        // Each thread's sum becomes that of all threads up to it: reach doubles with every turn.
        before[local] = total;
        workgroupBarrier();
        for (var reach = 1u; reach < THREADS; reach = reach * 2u) {
            var joined = before[local];
            if local >= reach {
                joined += before[local - reach];
            }
            after[local] = joined;
            workgroupBarrier();
            before[local] = after[local];
            workgroupBarrier();
        }
#if sums
#else
        var within = 0.0;
        if local > 0u {
            within = before[local - 1u];
        }
        for (var k = mine; k < end; k++) {
            let at = place(row, k);
            within += x[at];
            y[at] = sum + within;
        }
#endif
        sum += before[THREADS - 1u];
        workgroupBarrier();
    }
#if sums
    if local == 0u {
        y[group] = sum;
    }
#endif
#endif
#endif
}
