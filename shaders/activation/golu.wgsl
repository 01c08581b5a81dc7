// golu(x) = x e^(-m) with m = e^-x, the Gompertz gate. Below -10 the gate and its slopes are 0; x is held there, so that m
// does not overflow.
#import shared/exp
#import shared/gate

fn kw_golu_gate(x: f32) -> KwGate {
    if kw_is_nan(x) {
        return KwGate(x, x, x);
    }
    let m = kw_exp(-max(x, -10.0));
    let g = kw_exp(-m);
    let d1 = m * g;
    return KwGate(g, d1, d1 * (m - 1.0));
}

fn kw_golu(x: f32) -> f32 {
    return kw_gated(x, kw_golu_gate(x));
}

fn kw_golu_d1(x: f32) -> f32 {
    return kw_gated_d1(x, kw_golu_gate(x));
}

fn kw_golu_d2(x: f32) -> f32 {
    return kw_gated_d2(x, kw_golu_gate(x));
}
