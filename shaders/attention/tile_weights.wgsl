// The weights of the pairs of a tile, and what they sum.
#import attention/tiles

// By the others' rows, then the owned ones.
var<workgroup> weights: array<vec4<u32>, TILE * STRIDE>;

// The weight of an owned row, of four that are side by side, for another row.
fn set_weights(local: u32, j: u32, four: vec4<u32>) {
    weights[(local % SIDE + j * SIDE) * STRIDE + local / SIDE] = four;
}

// Adds the others' staged parts, each times its weights, to what each owned row has: four columns a thread. A row without a weight
// takes no part: what it holds may be no number. In a whole tile all have one, but where only the largest scores are kept.
fn add_weighted(local: u32, whole: bool, sums: ptr<function, array<vec4<f32>, EACH>>) {
#if top_k
    let all_have_weights = false;
#else
    let all_have_weights = whole;
#endif
    for (var r = 0u; r < TILE; r++) {
        let w = weights[r * STRIDE + local / SIDE];
#if by_key
        let x = query_part[r * STRIDE + local % SIDE];
#else
        let x = key_part[r * STRIDE + local % SIDE];
#endif
        let p = bitcast<vec4<f32>>(w);
        if all_have_weights {
            (*sums)[0] += p.x * x;
            (*sums)[1] += p.y * x;
            (*sums)[2] += p.z * x;
            (*sums)[3] += p.w * x;
        } else {
            let none = vec4<f32>(0.0);
            (*sums)[0] += select(p.x * x, none, w.x == NONE);
            (*sums)[1] += select(p.y * x, none, w.y == NONE);
            (*sums)[2] += select(p.z * x, none, w.z == NONE);
            (*sums)[3] += select(p.w * x, none, w.w == NONE);
        }
    }
}
