// C(n, m) u^m (1 - u)^(n - m) at u = 1 / (1 + e^-x): b_m <- (1 - u) b_m + u b_(m-1), n times from b_0 = 1.
#import shared/sigmoid
#import kan/bases/params

// n + 1
const KAN_COUNT: u32 = 1u;

struct KanState {
    values: array<f32, KAN_COUNT>,
    m: u32,
}

fn kan_begin(x: f32, first: u32) -> KanState {
    // u' = u (1 - u)
    var u: KanJet;
    var v: KanJet;
    u[0] = kw_sigmoid(x);
    v[0] = kw_sigmoid(-x);
    for (var k = 1u; k <= KAN_DERIVATIVE; k++) {
        let product = kan_product(u, v);
        u[k] = product[k - 1u] / f32(k);
        v[k] = -u[k];
    }
    var all: array<KanJet, KAN_COUNT>;
    all[0][0] = 1.0;
    for (var j = 1u; j < KAN_COUNT; j++) {
        var below: KanJet;
        for (var i = 0u; i <= j; i++) {
            let own = all[i];
            var sum = kan_product(v, own);
            let other = kan_product(u, below);
            for (var k = 0u; k <= KAN_DERIVATIVE; k++) {
                sum[k] += other[k];
            }
            all[i] = sum;
            below = own;
        }
    }
    var state: KanState;
    state.m = first;
    for (var m = 0u; m < KAN_COUNT; m++) {
        state.values[m] = all[m][KAN_DERIVATIVE] * KAN_FACTORIAL;
    }
    return state;
}

fn kan_next(state: ptr<function, KanState>) -> f32 {
    let m = (*state).m;
    (*state).m += 1u;
    return (*state).values[min(m, KAN_COUNT - 1u)];
}
