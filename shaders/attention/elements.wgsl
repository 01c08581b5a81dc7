// Where the elements of queries, keys and values lie: in rows that begin anywhere, the elements of a row side by side or
// (flag `apart`) in steps of any size.
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
@group(0) @binding(1) var<storage, read> q: array<f32>;
@group(0) @binding(2) var<storage, read> k: array<f32>;
@group(0) @binding(3) var<storage, read> v: array<f32>;

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

fn start_of(steps: vec4<u32>, batch: u32, head: u32, row: u32) -> u32 {
    return steps.x + batch * steps.y + head * steps.z + row * steps.w;
}

fn query_start(at: Place) -> u32 {
    return start_of(params.q_steps, at.batch, at.head, at.row);
}

fn key_start(at: Place, key: u32) -> u32 {
    return start_of(params.k_steps, at.batch, at.kv_head, key);
}

fn value_start(at: Place, key: u32) -> u32 {
    return start_of(params.v_steps, at.batch, at.kv_head, key);
}

// The place of element i of the row that begins at start: of queries, keys, values or cotangents.
#if apart
fn q_at(start: u32, i: u32) -> u32 {
    return start + i * params.apart.x;
}

fn k_at(start: u32, i: u32) -> u32 {
    return start + i * params.apart.y;
}

fn v_at(start: u32, i: u32) -> u32 {
    return start + i * params.apart.z;
}

fn g_at(start: u32, i: u32) -> u32 {
    return start + i * params.apart.w;
}
#else
fn q_at(start: u32, i: u32) -> u32 {
    return start + i;
}

fn k_at(start: u32, i: u32) -> u32 {
    return start + i;
}

fn v_at(start: u32, i: u32) -> u32 {
    return start + i;
}

fn g_at(start: u32, i: u32) -> u32 {
    return start + i;
}
#endif

fn four_of_q(start: u32, i: u32) -> vec4<f32> {
    return vec4<f32>(q[q_at(start, i)], q[q_at(start, i + 1u)], q[q_at(start, i + 2u)], q[q_at(start, i + 3u)]);
}

fn four_of_k(start: u32, i: u32) -> vec4<f32> {
    return vec4<f32>(k[k_at(start, i)], k[k_at(start, i + 1u)], k[k_at(start, i + 2u)], k[k_at(start, i + 3u)]);
}

fn four_of_v(start: u32, i: u32) -> vec4<f32> {
    return vec4<f32>(v[v_at(start, i)], v[v_at(start, i + 1u)], v[v_at(start, i + 2u)], v[v_at(start, i + 3u)]);
}
