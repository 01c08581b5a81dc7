// Sorted runs of a row merged, two and two: of rows [rows, n] of runs of `run` (the last may be shorter), rows
// [rows, width] of runs of at most `kept`. A workgroup makes TILE elements of a merged run, from where they begin in both.
// With flag `last` the runs are whole rows, and values and indices are given.
#import shared/grid
#import sort/tile

struct Params {
    rows: u32,
    n: u32,
    // of the rows of x
    length: u32,
    run: u32,
    pairs: u32,
    // workgroups a pair
    tiles: u32,
    kept: u32,
    width: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> keys_in: array<u32>;
@group(0) @binding(2) var<storage, read> positions_in: array<u32>;
#if last
@group(0) @binding(3) var<storage, read_write> values: array<u32>;
@group(0) @binding(4) var<storage, read_write> indices: array<u32>;
@group(0) @binding(5) var<storage, read> x: array<u32>;
#else
@group(0) @binding(3) var<storage, read_write> keys_out: array<u32>;
@group(0) @binding(4) var<storage, read_write> positions_out: array<u32>;
#endif

// Of the tile, which holds the keys of the first run and then those of the second.
var<workgroup> begins: array<u32, 2>;

// `first_run` over runs in memory.
fn first_run_of_all(first: u32, in_first: u32, second: u32, in_second: u32, d: u32) -> u32 {
    var low = d - min(d, in_second);
    var high = min(d, in_first);
    while low < high {
        let middle = (low + high) / 2u;
        if keys_in[first + middle] <= keys_in[second + d - 1u - middle] {
            low = middle + 1u;
        } else {
            high = middle;
        }
    }
    return low;
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
    let group = linear_group(wid, groups);
    let pair = group / params.tiles;
    let row = pair / params.pairs;
    if row >= params.rows {
        return;
    }
    let start = pair % params.pairs * 2u * params.run;
    let in_first = min(params.run, params.n - start);
    let in_second = min(params.run, params.n - start - in_first);
    let made = min(params.kept, in_first + in_second);
    let d0 = group % params.tiles * TILE;
    if d0 >= made {
        return;
    }
    let here = min(TILE, made - d0);
    let first = row * params.n + start;
    let second = first + in_first;
    if local < 2u {
        begins[local] = first_run_of_all(first, in_first, second, in_second, d0 + local * here);
    }
    workgroupBarrier();
    let from_first = begins[1] - begins[0];
    let a0 = first + begins[0];
    let b0 = second + d0 - begins[0];
    for (var s = local; s < here; s += THREADS) {
        var place = a0 + s;
        if s >= from_first {
            place = b0 + s - from_first;
        }
        held[at(s)] = keys_in[place];
    }
    workgroupBarrier();
    let mine = min(local * EACH, here);
    let end = min(mine + EACH, here);
    let from_second = here - from_first;
    var a = first_run(0u, from_first, from_first, from_second, mine);
    var b = mine - a;
    var slot: array<u32, EACH>;
    for (var k = mine; k < end; k++) {
        var source = from_first + b;
        if a < from_first && (b >= from_second || held_at(a) <= held_at(source)) {
            source = a;
            a++;
        } else {
            b++;
        }
        slot[k - mine] = source;
    }
    workgroupBarrier();
    for (var k = mine; k < end; k++) {
        held[at(k)] = slot[k - mine];
    }
    workgroupBarrier();
    for (var s = local; s < here; s += THREADS) {
        let source = held[at(s)];
        var place = a0 + source;
        if source >= from_first {
            place = b0 + source - from_first;
        }
        let to = row * params.width + pair % params.pairs * params.kept + d0 + s;
        let position = positions_in[place];
#if last
        values[to] = x[row * params.length + position];
        indices[to] = position;
#else
        keys_out[to] = keys_in[place];
        positions_out[to] = position;
#endif
    }
}
