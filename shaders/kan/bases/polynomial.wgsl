// p_0 .. p_n at u = tanh x: p_m = (A u + B) p_(m-1) - C p_(m-2); table[2 m - 2] = A and B, table[2 m - 1] = C, in two floats
// each. So is all else: the terms cancel, and what one float would round away of u grows with the degree.
#import shared/exp
#import shared/pair_tanh
#import kan/bases/params

// See KanJet.
alias KanWide = array<vec2<f32>, KAN_DERIVATIVE + 1u>;

struct KanState {
    u: KanWide,
    last: KanWide,
    before: KanWide,
    m: u32,
}

// Coefficient k of a product.
fn kan_coefficient(a: ptr<function, KanWide>, b: ptr<function, KanWide>, k: u32) -> vec2<f32> {
    var sum = kw_pair_mul((*a)[0], (*b)[k]);
    for (var j = 1u; j <= k; j++) {
        sum = kw_pair_add(sum, kw_pair_mul((*a)[j], (*b)[k - j]));
    }
    return sum;
}

// tanh, by u' = 1 - u^2; its first derivative without cancellation.
fn kan_tanh(x: f32) -> KanWide {
    var u: KanWide;
    u[0] = kw_tanh_pair(x);
    for (var k = 1u; k <= KAN_DERIVATIVE; k++) {
        if k == 1u {
            let e = kw_exp(-2.0 * abs(x));
            u[k] = vec2<f32>(4.0 * e / ((1.0 + e) * (1.0 + e)), 0.0);
        } else {
            var copy = u;
            u[k] = kan_coefficient(&u, &copy, k - 1u) * (-1.0 / f32(k));
        }
    }
    return u;
}

fn kan_begin(x: f32, first: u32) -> KanState {
    kw_zero = params.pad0;
    var state: KanState;
    state.u = kan_tanh(x);
    state.last[0] = vec2<f32>(1.0, 0.0);
    for (var m = 0u; m < first; m++) {
        kan_next(&state);
    }
    return state;
}

fn kan_next(state: ptr<function, KanState>) -> f32 {
    let value = (*state).last[KAN_DERIVATIVE].x * KAN_FACTORIAL;
    let m = min((*state).m, KAN_TABLE / 2u - 1u);
    let step = params.table[2u * m];
    let less = params.table[2u * m + 1u].xy;
    var u = (*state).u;
    var last = (*state).last;
    for (var k = 0u; k <= KAN_DERIVATIVE; k++) {
        var next = kw_pair_mul(step.xy, kan_coefficient(&u, &last, k));
        next = kw_pair_add(next, -kw_pair_mul(less, (*state).before[k]));
        if !(step.z == 0.0) {
            next = kw_pair_add(next, kw_pair_mul(step.zw, last[k]));
        }
        (*state).last[k] = next;
    }
    (*state).before = last;
    (*state).m += 1u;
    return value;
}
