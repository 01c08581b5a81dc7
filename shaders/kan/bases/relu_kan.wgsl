// (relu(e_m - x) relu(x - s_m))^2 16 / (e_m - s_m)^4 with s_m = (m - order) / grid, e_m = (m + 1) / grid.
// table[0] = (grid, order, 16 grid^d d! / (order + 1)^4, 0): in units of an interval both distances are from whole numbers.
#import shared/bits
#import kan/bases/params

struct KanState {
    // x grid = high + low, both products exact.
    high: f32,
    low: f32,
    m: u32,
}

fn kan_begin(x: f32, first: u32) -> KanState {
    if !kw_is_finite(x) {
        return KanState(x, 0.0, first);
    }
    let high = kw_high(x);
    return KanState(high * params.table[0].x, (x - high) * params.table[0].x, first);
}

fn kan_next(state: ptr<function, KanState>) -> f32 {
    let high = (*state).high;
    let m = f32((*state).m);
    (*state).m += 1u;
    if kw_is_nan(high) {
        return high;
    }
    let rise = (high - (m - params.table[0].y)) + (*state).low;
    let fall = ((m + 1.0) - high) - (*state).low;
    if !(rise > 0.0 && fall > 0.0) {
        return 0.0;
    }
    // The square of a parabola.
    var parabola: KanJet;
    parabola[0] = rise * fall;
    for (var k = 1u; k <= KAN_DERIVATIVE; k++) {
        parabola[k] = select(select(0.0, -1.0, k == 2u), fall - rise, k == 1u);
    }
    let square = kan_product(parabola, parabola);
    return square[KAN_DERIVATIVE] * params.table[0].z;
}
