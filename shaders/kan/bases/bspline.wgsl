// B-splines as one list of functions: those that are not 0 at a point, and zeros around them.
#import kan/basis

struct KanState {
    local: KanLocal,
    x: f32,
    m: u32,
}

fn kan_begin(x: f32, first: u32) -> KanState {
    return KanState(kan_local(x), x, first);
}

fn kan_next(state: ptr<function, KanState>) -> f32 {
    let m = (*state).m;
    (*state).m += 1u;
    // The derivative is above the order.
    if KAN_TERMS == 0u {
        return 0.0;
    }
    if kw_is_nan((*state).x) {
        return (*state).x;
    }
    // Below the first function the difference wraps to a large number.
    let r = m - (*state).local.start;
    if r > KAN_ORDER {
        return 0.0;
    }
    return (*state).local.weights[r];
}
