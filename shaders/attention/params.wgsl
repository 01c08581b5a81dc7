// The numbers of attention's kernels, and where a query is.
const TABLE_WORDS: u32 = 1u;

struct Params {
    // batch x heads x queries
    rows: u32,
    heads: u32,
    kv_heads: u32,
    queries: u32,
    keys: u32,
    // of a query and a key; of a value
    size: u32,
    value_size: u32,
    top_k: u32,
    scale: f32,
    softcap: f32,
    // threads that stand side by side on the columns of a result; elements of the result where they are flat
    columns: u32,
    count: u32,
    bias_head: u32,
    bias_row: u32,
    bias_key: u32,
    radius: u32,
    bias_heads: u32,
    bias_rows: u32,
    bias_keys: u32,
    pad: u32,
    // where rows go in tiles: tiles of queries, tiles of keys, batches and heads whose masks differ (1: all have one)
    tiles: vec4<u32>,
    // offset, then the steps of a batch, a head and a row, for q, k, v and the cotangent
    q_steps: vec4<u32>,
    k_steps: vec4<u32>,
    v_steps: vec4<u32>,
    g_steps: vec4<u32>,
    // the steps between the elements of a row of each
    apart: vec4<u32>,
    // two for each table: offset, then four sizes
    tables: array<vec4<u32>, TABLE_WORDS>,
}

@group(0) @binding(0) var<uniform> params: Params;

// A query: its place, its running number, and the head of its keys.
struct Place {
    batch: u32,
    head: u32,
    row: u32,
    query: u32,
    kv_head: u32,
}

fn place_of(query: u32) -> Place {
    let row = query % params.queries;
    let head = query / params.queries % params.heads;
    let batch = query / (params.queries * params.heads);
    return Place(batch, head, row, query, head / (params.heads / params.kv_heads));
}
