// Where the queries, keys and values of attention over a cache lie, and which keys a query sees. Flag `vectors`: keys and
// values are read four at a time, their sizes, steps and offsets being in fours.

// Rows of queries that a workgroup takes.
const ROWS: u32 = 1u;

struct Params {
    groups: u32,
    heads: u32,
    kv_heads: u32,
    queries: u32,
    // keys that a sequence has room for
    capacity: u32,
    // of a query and a key; of a value
    size: u32,
    value_size: u32,
    // keys that a query sees at most
    window: u32,
    scale: f32,
    softcap: f32,
    // parts of the keys, blocks of rows of a key head, blocks of columns of the values
    splits: u32,
    row_blocks: u32,
    column_blocks: u32,
    // threads side by side on the columns
    lanes: u32,
    // keys of a page, pages of a sequence
    page: u32,
    pages: u32,
    // offset, then the steps of a batch (or a page), a head and a row
    q_steps: vec4<u32>,
    k_steps: vec4<u32>,
    v_steps: vec4<u32>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<f32>;
#if vectors
@group(0) @binding(2) var<storage, read> k: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> v: array<vec4<f32>>;
#else
@group(0) @binding(2) var<storage, read> k: array<f32>;
@group(0) @binding(3) var<storage, read> v: array<f32>;
#endif
#if unsigned
@group(0) @binding(4) var<storage, read> lengths: array<u32>;
#else
@group(0) @binding(4) var<storage, read> lengths: array<i32>;
#endif
@group(0) @binding(6) var<storage, read_write> status: array<atomic<u32>>;
#if paged
// Every entry is that of a page.
@group(0) @binding(7) var<storage, read> page_table: array<u32>;
#endif

// Some rows of a key head, one query after the other, each with all heads that share the keys; the keys that any of them sees;
// and the first of the columns of the values.
struct Block {
    batch: u32,
    kv_head: u32,
    first_row: u32,
    rows: u32,
    column: u32,
    length: u32,
    first: u32,
    last: u32,
}

// A length outside 0..=capacity is clamped; a negative one is a large one.
fn length_of(batch: u32) -> u32 {
    return min(u32(lengths[batch]), params.capacity);
}

fn count_length(batch: u32) {
    if u32(lengths[batch]) > params.capacity {
        atomicAdd(&status[0], 1u);
    }
}

fn position_of(length: u32, query: u32) -> i32 {
    return i32(length) + i32(query) - i32(params.queries);
}

// The keys that a query sees: from x on, before y.
fn seen_by(length: u32, query: u32) -> vec2<u32> {
    let end = max(position_of(length, query) + 1, 0);
    let low = u32(max(end - i32(params.window), 0));
#if causal
    return vec2<u32>(low, u32(end));
#else
    return vec2<u32>(low, length);
#endif
}

fn share() -> u32 {
    return params.heads / params.kv_heads;
}

fn block_of(number: u32) -> Block {
    var here: Block;
    here.column = number % params.column_blocks * 256u;
    let owner = number / params.column_blocks;
    here.first_row = owner % params.row_blocks * ROWS;
    here.rows = min(ROWS, share() * params.queries - here.first_row);
    here.kv_head = owner / params.row_blocks % params.kv_heads;
    here.batch = owner / params.row_blocks / params.kv_heads;
    here.length = length_of(here.batch);
    here.first = seen_by(here.length, here.first_row / share()).x;
    here.last = seen_by(here.length, (here.first_row + here.rows - 1u) / share()).y;
    return here;
}

fn is_first_of_batch(here: Block) -> bool {
    return here.kv_head == 0u && here.first_row == 0u && here.column == 0u;
}

fn query_of(here: Block, r: u32) -> u32 {
    return (here.first_row + r) / share();
}

fn head_of(here: Block, r: u32) -> u32 {
    return here.kv_head * share() + (here.first_row + r) % share();
}

// The row's number among all results.
fn row_of(here: Block, r: u32) -> u32 {
    return (here.batch * params.heads + head_of(here, r)) * params.queries + query_of(here, r);
}

fn query_start(here: Block, r: u32) -> u32 {
    let steps = params.q_steps;
    return steps.x + here.batch * steps.y + head_of(here, r) * steps.z + query_of(here, r) * steps.w;
}

fn start_of(steps: vec4<u32>, here: Block, key: u32) -> u32 {
#if paged
    let page = page_table[here.batch * params.pages + key / params.page];
    return steps.x + page * steps.y + here.kv_head * steps.z + key % params.page * steps.w;
#else
    return steps.x + here.batch * steps.y + here.kv_head * steps.z + key * steps.w;
#endif
}

// Four elements of a key from `column` on, 0 beyond its size.
fn key_four(here: Block, key: u32, column: u32) -> vec4<f32> {
    let at = start_of(params.k_steps, here, key) + column;
#if vectors
    if column < params.size {
        return k[at / 4u];
    }
    return vec4<f32>(0.0);
#else
    var four = vec4<f32>(0.0);
    for (var i = 0u; i < 4u; i++) {
        if column + i < params.size {
            four[i] = k[at + i];
        }
    }
    return four;
#endif
}

// The same of a value.
fn value_four(here: Block, key: u32, column: u32) -> vec4<f32> {
    let at = start_of(params.v_steps, here, key) + column;
#if vectors
    if column < params.value_size {
        return v[at / 4u];
    }
    return vec4<f32>(0.0);
#else
    var four = vec4<f32>(0.0);
    for (var i = 0u; i < 4u; i++) {
        if column + i < params.value_size {
            four[i] = v[at + i];
        }
    }
    return four;
#endif
}
