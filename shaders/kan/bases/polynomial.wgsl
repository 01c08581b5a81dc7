// p_0 .. p_n at u = tanh x: p_m = (A u + B) p_(m-1) - C p_(m-2); table[m - 1] = (A, B, C, 0).
#import shared/tanh
#import kan/bases/params

struct KanState {
    u: KanJet,
    last: KanJet,
    before: KanJet,
    m: u32,
}

// tanh, by u' = 1 - u^2; its first derivative without cancellation.
fn kan_tanh(x: f32) -> KanJet {
    var u: KanJet;
    u[0] = kw_tanh(x);
    for (var k = 1u; k <= KAN_DERIVATIVE; k++) {
        if k == 1u {
            let e = kw_exp(-2.0 * abs(x));
            u[k] = 4.0 * e / ((1.0 + e) * (1.0 + e));
        } else {
            let square = kan_product(u, u);
            u[k] = -square[k - 1u] / f32(k);
        }
    }
    return u;
}

fn kan_begin(x: f32, first: u32) -> KanState {
    var state: KanState;
    state.u = kan_tanh(x);
    state.last[0] = 1.0;
    for (var m = 0u; m < first; m++) {
        kan_next(&state);
    }
    return state;
}

fn kan_next(state: ptr<function, KanState>) -> f32 {
    let value = (*state).last[KAN_DERIVATIVE] * KAN_FACTORIAL;
    let step = params.table[min((*state).m, KAN_TABLE - 1u)];
    var product = kan_product((*state).u, (*state).last);
    for (var k = 0u; k <= KAN_DERIVATIVE; k++) {
        let last = (*state).last[k];
        product[k] = (step.x * product[k] - step.z * (*state).before[k]) + step.y * last;
        (*state).before[k] = last;
        (*state).last[k] = product[k];
    }
    (*state).m += 1u;
    return value;
}
