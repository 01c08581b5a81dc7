// swish(x) = x sigma(beta x). beta x is carried in two parts, so that the tail keeps its relative accuracy.
#import shared/gate
#import shared/logistic
#import shared/product

fn kw_swish_gate(x: f32, beta: f32) -> KwGate {
    let v = kw_product(beta, kw_held(x));
    let l = kw_logistic(v.hi, v.lo);
    let d1 = beta * l.slope;
    return KwGate(l.s, d1, -beta * l.tilt * d1);
}

fn kw_swish(x: f32, beta: f32) -> f32 {
    return kw_gated(x, kw_swish_gate(x, beta));
}

fn kw_swish_d1(x: f32, beta: f32) -> f32 {
    return kw_gated_d1(x, kw_swish_gate(x, beta));
}

fn kw_swish_d2(x: f32, beta: f32) -> f32 {
    return kw_gated_d2(x, kw_swish_gate(x, beta));
}

// quick_gelu(x) = x sigma(1.702 x). What the constant loses to rounding is put back.
fn kw_quick_gelu_gate(x: f32) -> KwGate {
    let h = kw_held(x);
    let v = kw_product(1.702, h);
    let l = kw_logistic(v.hi, v.lo - 2.193451e-8 * h);
    let d1 = 1.702 * l.slope;
    return KwGate(l.s, d1, -1.702 * l.tilt * d1);
}

fn kw_quick_gelu(x: f32) -> f32 {
    return kw_gated(x, kw_quick_gelu_gate(x));
}

fn kw_quick_gelu_d1(x: f32) -> f32 {
    return kw_gated_d1(x, kw_quick_gelu_gate(x));
}

fn kw_quick_gelu_d2(x: f32) -> f32 {
    return kw_gated_d2(x, kw_quick_gelu_gate(x));
}
