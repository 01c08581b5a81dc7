// Attention in tiles: a workgroup owns TILE queries (flag `by_key`: TILE keys) and meets the others TILE by TILE. Each thread
// has four of the owned rows side by side, and four of the others, SIDE apart. What the rows hold is staged in workgroup
// memory, 32 elements of each at a time.
//
// Flag `lists`: the tiles of the other side that a mask leaves come from a list, a count before the entries of each owned tile;
// an entry is twice the tile's number, plus 1 where all pairs in it take part. A kernel of the host's making declares it.
#import attention/scores

const SIDE: u32 = 8u;
const EACH: u32 = 4u;
const TILE: u32 = SIDE * EACH;
const THREADS: u32 = SIDE * SIDE;
// Groups of four elements of a row in a staged part; one more between rows, so that they begin in different banks.
const DEPTH: u32 = 8u;
const STRIDE: u32 = DEPTH + 1u;

var<workgroup> query_part: array<vec4<f32>, TILE * STRIDE>;
var<workgroup> key_part: array<vec4<f32>, TILE * STRIDE>;

// Where a tile of queries meets a tile of keys.
struct Meeting {
    batch: u32,
    head: u32,
    kv_head: u32,
    first_row: u32,
    first_key: u32,
    // all pairs take part
    whole: bool,
}

fn place_in(here: Meeting, row: u32) -> Place {
    let query = (here.batch * params.heads + here.head) * params.queries + row;
    return Place(here.batch, here.head, row, query, here.kv_head);
}

// The n-th tile of queries, of all heads and batches, which has met no keys yet.
fn owned_queries(n: u32) -> Meeting {
    let plane = n / params.tiles.x;
    let head = plane % params.heads;
    return Meeting(plane / params.heads, head, head / (params.heads / params.kv_heads), n % params.tiles.x * TILE, 0u, false);
}

fn takes_part(here: Meeting, row: u32, key: u32) -> bool {
    return here.whole
        || (row < params.queries && key < params.keys && is_allowed(place_in(here, row), key));
}

// The tiles of the other side.
fn others() -> u32 {
#if by_key
    return params.tiles.x;
#else
    return params.tiles.y;
#endif
}

// Where the list of an owned tile begins.
fn list_of(batch: u32, head: u32, owned: u32) -> u32 {
    let plane = min(batch, params.tiles.z - 1u) * params.tiles.w + min(head, params.tiles.w - 1u);
#if by_key
    return (plane * params.tiles.y + owned) * (others() + 1u);
#else
    return (plane * params.tiles.x + owned) * (others() + 1u);
#endif
}

fn length_of(list: u32) -> u32 {
#if lists
    return min(lists[list], others());
#else
    return others();
#endif
}

// The n-th entry of a list: without lists every tile comes, whole where there is no mask and it does not stand over.
fn entry_of(list: u32, n: u32) -> u32 {
#if lists
    return min(lists[list + 1u + n], 2u * others() - 1u);
#else
    return 2u * n;
#endif
}

fn is_whole(entry: u32, first_row: u32, first_key: u32) -> bool {
#if lists
    return (entry & 1u) == 1u;
#else
#if masked
    return false;
#else
    return first_row + TILE <= params.queries && first_key + TILE <= params.keys;
#endif
#endif
}

// Four elements of a row; 0 beyond its end.
fn up_to_four_of_q(start: u32, i: u32) -> vec4<f32> {
    if i + 4u <= params.size {
        return four_of_q(start, i);
    }
    var x = vec4<f32>(0.0);
    for (var c = 0u; i + c < params.size; c++) {
        x[c] = q[q_at(start, i + c)];
    }
    return x;
}

fn up_to_four_of_k(start: u32, i: u32) -> vec4<f32> {
    if i + 4u <= params.size {
        return four_of_k(start, i);
    }
    var x = vec4<f32>(0.0);
    for (var c = 0u; i + c < params.size; c++) {
        x[c] = k[k_at(start, i + c)];
    }
    return x;
}

fn up_to_four_of_v(start: u32, i: u32) -> vec4<f32> {
    if i + 4u <= params.value_size {
        return four_of_v(start, i);
    }
    var x = vec4<f32>(0.0);
    for (var c = 0u; i + c < params.value_size; c++) {
        x[c] = v[v_at(start, i + c)];
    }
    return x;
}

// Rows beyond the last are the last again: nothing that is read of them is used.
fn stage_q(here: Meeting, local: u32, part: u32) {
    for (var i = local; i < TILE * DEPTH; i += THREADS) {
        let row = min(here.first_row + i / DEPTH, params.queries - 1u);
        let start = start_of(params.q_steps, here.batch, here.head, row);
        query_part[i / DEPTH * STRIDE + i % DEPTH] = up_to_four_of_q(start, 4u * (part * DEPTH + i % DEPTH));
    }
}

fn stage_k(here: Meeting, local: u32, part: u32) {
    for (var i = local; i < TILE * DEPTH; i += THREADS) {
        let key = min(here.first_key + i / DEPTH, params.keys - 1u);
        let start = start_of(params.k_steps, here.batch, here.kv_head, key);
        key_part[i / DEPTH * STRIDE + i % DEPTH] = up_to_four_of_k(start, 4u * (part * DEPTH + i % DEPTH));
    }
}

fn stage_v(here: Meeting, local: u32, part: u32) {
    for (var i = local; i < TILE * DEPTH; i += THREADS) {
        let key = min(here.first_key + i / DEPTH, params.keys - 1u);
        let start = start_of(params.v_steps, here.batch, here.kv_head, key);
        key_part[i / DEPTH * STRIDE + i % DEPTH] = up_to_four_of_v(start, 4u * (part * DEPTH + i % DEPTH));
    }
}

// The products of the staged parts: of the j-th other row with the four owned ones, side by side.
fn multiply(local: u32, products: ptr<function, array<vec4<f32>, EACH>>) {
    let own = local / SIDE * EACH * STRIDE;
    let other = local % SIDE * STRIDE;
    for (var d = 0u; d < DEPTH; d++) {
#if by_key
        let a = key_part[own + d];
        let b = key_part[own + STRIDE + d];
        let c = key_part[own + 2u * STRIDE + d];
        let e = key_part[own + 3u * STRIDE + d];
        let w = query_part[other + d];
        let x = query_part[other + SIDE * STRIDE + d];
        let y = query_part[other + 2u * SIDE * STRIDE + d];
        let z = query_part[other + 3u * SIDE * STRIDE + d];
#else
        let a = query_part[own + d];
        let b = query_part[own + STRIDE + d];
        let c = query_part[own + 2u * STRIDE + d];
        let e = query_part[own + 3u * STRIDE + d];
        let w = key_part[other + d];
        let x = key_part[other + SIDE * STRIDE + d];
        let y = key_part[other + 2u * SIDE * STRIDE + d];
        let z = key_part[other + 3u * SIDE * STRIDE + d];
#endif
        (*products)[0] += vec4<f32>(dot(a, w), dot(b, w), dot(c, w), dot(e, w));
        (*products)[1] += vec4<f32>(dot(a, x), dot(b, x), dot(c, x), dot(e, x));
        (*products)[2] += vec4<f32>(dot(a, y), dot(b, y), dot(c, y), dot(e, y));
        (*products)[3] += vec4<f32>(dot(a, z), dot(b, z), dot(c, z), dot(e, z));
    }
}

fn query_key_products(here: Meeting, local: u32) -> array<vec4<f32>, EACH> {
    var products: array<vec4<f32>, EACH>;
    for (var part = 0u; part * 4u * DEPTH < params.size; part++) {
        stage_q(here, local, part);
        stage_k(here, local, part);
        workgroupBarrier();
        multiply(local, &products);
        workgroupBarrier();
    }
    return products;
}
