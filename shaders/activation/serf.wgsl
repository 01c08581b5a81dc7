// serf(x) = x erf(w) with w = ln(1 + e^x). The gate's slope is 2/sqrt(pi) e^(-w^2) sigma(x); from w = 12 on it is 0.
#import shared/erf
#import shared/gate
#import shared/logistic
#import shared/sigmoid

fn kw_serf_gate(x: f32) -> KwGate {
    if kw_is_nan(x) {
        return KwGate(x, x, x);
    }
    let l = kw_logistic(x, 0.0);
    let w = min(kw_softplus(x), 12.0);
    let d1 = 1.1283792 * kw_exp_neg_square(1.0, w) * l.s;
    return KwGate(kw_erf(w), d1, d1 * (l.c - 2.0 * w * l.s));
}

fn kw_serf(x: f32) -> f32 {
    return kw_gated(x, kw_serf_gate(x));
}

fn kw_serf_d1(x: f32) -> f32 {
    return kw_gated_d1(x, kw_serf_gate(x));
}

fn kw_serf_d2(x: f32) -> f32 {
    return kw_gated_d2(x, kw_serf_gate(x));
}
