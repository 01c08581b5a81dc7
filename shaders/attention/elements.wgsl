// Where the elements of queries, keys and values lie: in rows that begin anywhere, the elements of a row side by side or
// (flag `apart`) in steps of any size.
#import attention/params

@group(0) @binding(1) var<storage, read> q: array<f32>;
@group(0) @binding(2) var<storage, read> k: array<f32>;
@group(0) @binding(3) var<storage, read> v: array<f32>;

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
