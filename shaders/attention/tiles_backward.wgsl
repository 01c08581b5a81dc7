// What the kernels of the backward pass in tiles share: the cotangents staged, and their products with the values.
#import attention/backward
#import attention/tiles

fn up_to_four_of_g(start: u32, i: u32) -> vec4<f32> {
    if i + 4u <= params.value_size {
        return four_of_g(start, i);
    }
    var x = vec4<f32>(0.0);
    for (var c = 0u; i + c < params.value_size; c++) {
        x[c] = g[g_at(start, i + c)];
    }
    return x;
}

fn stage_g(here: Meeting, local: u32, part: u32) {
    for (var i = local; i < TILE * DEPTH; i += THREADS) {
        let row = min(here.first_row + i / DEPTH, params.queries - 1u);
        let start = start_of(params.g_steps, here.batch, here.head, row);
        query_part[i / DEPTH * STRIDE + i % DEPTH] = up_to_four_of_g(start, 4u * (part * DEPTH + i % DEPTH));
    }
}

fn cotangent_value_products(here: Meeting, local: u32) -> array<vec4<f32>, EACH> {
    var products: array<vec4<f32>, EACH>;
    for (var part = 0u; part * 4u * DEPTH < params.value_size; part++) {
        stage_g(here, local, part);
        stage_v(here, local, part);
        workgroupBarrier();
        multiply(local, &products);
        workgroupBarrier();
    }
    return products;
}

// The cotangent of a product of query and key, or NONE where the pair is not kept.
fn product_bits(at: Place, key: u32, product: f32, cotangent: f32, row: Row) -> u32 {
    let score = score_from(at, key, product);
    if !is_kept(score.value, row) {
        return NONE;
    }
    return plain_bits(pair_from(score, cotangent, row).product);
}

// The weight of a key, or NONE where the pair is not kept.
fn weight_bits(at: Place, key: u32, product: f32, row: Row) -> u32 {
    let score = score_from(at, key, product).value;
    if !is_kept(score, row) {
        return NONE;
    }
    return plain_bits(weight_of(score, row).p);
}

// What the four queries that a thread has left behind.
fn four_rows(here: Meeting, local: u32) -> array<Row, EACH> {
    var four: array<Row, EACH>;
    for (var i = 0u; i < EACH; i++) {
        let row = min(here.first_row + local / SIDE * EACH + i, params.queries - 1u);
        four[i] = rows[place_in(here, row).query];
    }
    return four;
}
