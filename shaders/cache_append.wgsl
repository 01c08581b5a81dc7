// Rows [B, heads, count, size] into a cache [B, heads, capacity, size], those of batch b from positions[b] on, moved as words.
// Flag `in_place`: y is the cache, and a thread takes an element of the rows; else y is a copy, and a thread takes an element of
// it. A position whose rows would lie outside is clamped and counted.
#import shared/grid

struct Params {
    elements: u32,
    heads: u32,
    capacity: u32,
    count: u32,
    size: u32,
    pad0: u32,
    pad1: u32,
    pad2: u32,
    // offset, then the steps of a batch, a head and a row
    steps: vec4<u32>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> rows: array<u32>;
#if unsigned
@group(0) @binding(2) var<storage, read> positions: array<u32>;
#else
@group(0) @binding(2) var<storage, read> positions: array<i32>;
#endif
@group(0) @binding(3) var<storage, read_write> y: array<u32>;
@group(0) @binding(4) var<storage, read_write> status: array<atomic<u32>>;
#if !in_place
@group(0) @binding(5) var<storage, read> cache: array<u32>;
#endif

fn row_at(batch: u32, head: u32, row: u32) -> u32 {
    return params.steps.x + batch * params.steps.y + head * params.steps.z + row * params.steps.w;
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
    let at = linear_thread(wid, groups, local, 256u);
    if at >= params.elements {
        return;
    }
    let column = at % params.size;
#if in_place
    let length = params.count;
#else
    let length = params.capacity;
#endif
    let row = at / params.size % length;
    let head = at / (params.size * length) % params.heads;
    let batch = at / (params.size * length * params.heads);
    let room = params.capacity - params.count;
    // A negative position is a large one.
    let named = u32(positions[batch]);
    if named > room && row == 0u && head == 0u && column == 0u {
        atomicAdd(&status[0], 1u);
    }
    let first = min(named, room);
#if in_place
    let to = ((batch * params.heads + head) * params.capacity + first + row) * params.size + column;
    y[to] = rows[row_at(batch, head, row) + column];
#else
    // What lies before the first row is a large number.
    if row - first < params.count {
        y[at] = rows[row_at(batch, head, row - first) + column];
    } else {
        y[at] = cache[at];
    }
#endif
}
