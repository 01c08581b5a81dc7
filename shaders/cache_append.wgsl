// Rows [B, heads, count, size] into a cache [B, heads, page, size], those of batch b from positions[b] on, moved as words: a
// thread an element of the rows. A position whose rows would lie outside is clamped and counted. Flag `paged`: the cache is
// [.., heads, page, size], and row n of a batch is in the page that the table names for n / page. Flag `copy`: the cache is
// copied, before.
#import shared/grid

struct Params {
    elements: u32,
    heads: u32,
    // rows of a page, pages of a batch
    page: u32,
    pages: u32,
    count: u32,
    size: u32,
    // the last position where all rows fit
    room: u32,
    pad: u32,
    // offset, then the steps of a batch, a head and a row
    steps: vec4<u32>,
}

@group(0) @binding(0) var<uniform> params: Params;
#if copy
@group(0) @binding(1) var<storage, read> cache: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<u32>;

fn move_element(at: u32) {
    y[at] = cache[at];
}
#else
@group(0) @binding(1) var<storage, read> rows: array<u32>;
#if unsigned
@group(0) @binding(2) var<storage, read> positions: array<u32>;
#else
@group(0) @binding(2) var<storage, read> positions: array<i32>;
#endif
@group(0) @binding(3) var<storage, read_write> y: array<u32>;
@group(0) @binding(4) var<storage, read_write> status: array<atomic<u32>>;
#if paged
@group(0) @binding(5) var<storage, read> page_table: array<u32>;
#endif

fn move_element(at: u32) {
    let column = at % params.size;
    let i = at / params.size % params.count;
    let head = at / (params.size * params.count) % params.heads;
    let batch = at / (params.size * params.count * params.heads);
    // A negative position is a large one.
    let named = u32(positions[batch]);
    if named > params.room && i == 0u && head == 0u && column == 0u {
        atomicAdd(&status[0], 1u);
    }
    let row = min(named, params.room) + i;
#if paged
    let page = page_table[batch * params.pages + row / params.page];
#else
    let page = batch;
#endif
    let to = ((page * params.heads + head) * params.page + row % params.page) * params.size + column;
    let steps = params.steps;
    y[to] = rows[steps.x + batch * steps.y + head * steps.z + i * steps.w + column];
}
#endif

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
    let at = linear_thread(wid, groups, local, 256u);
    if at < params.elements {
        move_element(at);
    }
}
