// Parts of rows, sorted in workgroup memory: a tile of TILE elements holds whole rows of at most `span`, or one part of a
// longer row. The best `kept` of each part stay.
//
// Each thread sorts EACH neighbours in registers; then runs are merged, two and two, each thread making EACH elements of
// the merged run from where its share begins in both. The sort is stable. What lies beyond a row's end has the last key of
// all, and stays behind.
//
// It reads x [rows, n], or with flag `again` keys and positions [rows, n] of rows of x that were `length` long. It gives
// keys and positions [rows, width], or with flag `last` values and indices.
#import shared/grid
#import sort/order
#import sort/tile

struct Params {
    rows: u32,
    n: u32,
    length: u32,
    // elements of a part; a power of two from EACH to TILE
    span: u32,
    parts: u32,
    kept: u32,
    width: u32,
    pad: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
#if again
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
#else
@group(0) @binding(1) var<storage, read> x: array<u32>;
#if last
@group(0) @binding(2) var<storage, read_write> values: array<u32>;
@group(0) @binding(3) var<storage, read_write> indices: array<u32>;
#else
@group(0) @binding(2) var<storage, read_write> keys_out: array<u32>;
@group(0) @binding(3) var<storage, read_write> positions_out: array<u32>;
#endif
#endif

// Where in the tile each came from.
var<workgroup> slots: array<u32, TILE>;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
    let first_part = linear_group(wid, groups) * (TILE / params.span);
    if first_part >= params.rows * params.parts {
        return;
    }
    for (var s = local; s < TILE; s += THREADS) {
        let part = first_part + s / params.span;
        let row = part / params.parts;
        let k = part % params.parts * params.span + s % params.span;
        var key = LAST;
        if row < params.rows && k < params.n {
#if again
            key = keys_in[row * params.n + k];
#else
            key = key_of(x[row * params.n + k]);
#endif
        }
        held[at(s)] = key;
    }
    workgroupBarrier();
    let mine = local * EACH;
    var key: array<u32, EACH>;
    var slot: array<u32, EACH>;
    for (var e = 0u; e < EACH; e++) {
        key[e] = held_at(mine + e);
        slot[e] = mine + e;
    }
    for (var turn = 0u; turn < EACH; turn++) {
        for (var e = turn & 1u; e + 1u < EACH; e += 2u) {
            if key[e] > key[e + 1u] {
                let larger = key[e];
                let source = slot[e];
                key[e] = key[e + 1u];
                slot[e] = slot[e + 1u];
                key[e + 1u] = larger;
                slot[e + 1u] = source;
            }
        }
    }
    workgroupBarrier();
    for (var e = 0u; e < EACH; e++) {
        held[at(mine + e)] = key[e];
        slots[at(mine + e)] = slot[e];
    }
    workgroupBarrier();
    // Of each run no more than the elements that stay are merged, and only so many threads have work.
    let room = min((params.kept + EACH - 1u) / EACH * EACH, params.span);
    for (var run = EACH; run < params.span; run = run * 2u) {
        let shares = min(2u * run, room) / EACH;
        let d = local % shares * EACH;
        let first = local / shares * 2u * run;
        let second = first + run;
        let in_run = min(run, room);
        let busy = first < TILE;
        if busy {
            var a = first_run(first, in_run, second, in_run, d);
            var b = d - a;
            for (var e = 0u; e < EACH; e++) {
                var source = second + b;
                if a < in_run && (b >= in_run || held_at(first + a) <= held_at(second + b)) {
                    source = first + a;
                    a++;
                } else {
                    b++;
                }
                key[e] = held_at(source);
                slot[e] = slots[at(source)];
            }
        }
        workgroupBarrier();
        if busy {
            for (var e = 0u; e < EACH; e++) {
                held[at(first + d + e)] = key[e];
                slots[at(first + d + e)] = slot[e];
            }
        }
        workgroupBarrier();
    }
    for (var s = local; s < TILE; s += THREADS) {
        let part = first_part + s / params.span;
        let row = part / params.parts;
        let start = part % params.parts * params.span;
        let k = s % params.span;
        if row < params.rows && k < params.kept && start + k < params.n {
            let to = row * params.width + part % params.parts * params.kept + k;
            var position = start + slots[at(s)] % params.span;
#if again
            position = positions_in[row * params.n + position];
#endif
#if last
            values[to] = x[row * params.length + position];
            indices[to] = position;
#else
            keys_out[to] = held_at(s);
            positions_out[to] = position;
#endif
        }
    }
}
