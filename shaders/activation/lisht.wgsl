// lisht(x) = x tanh x; tanhexp(x) = x tanh(e^x); phish(x) = x tanh(gelu(x)). Each slope of tanh is sech^2, without
// cancellation. From x = 6 on the gate of tanhexp is 1, and x is held there.
#import activation/gelu
#import activation/tanh
#import shared/gate

fn kw_lisht_gate(x: f32) -> KwGate {
    return KwGate(kw_tanh(x), kw_tanh_d1(x), kw_tanh_d2(x));
}

fn kw_lisht(x: f32) -> f32 {
    return kw_gated(x, kw_lisht_gate(x));
}

fn kw_lisht_d1(x: f32) -> f32 {
    return kw_gated_d1(x, kw_lisht_gate(x));
}

fn kw_lisht_d2(x: f32) -> f32 {
    return kw_gated_d2(x, kw_lisht_gate(x));
}

fn kw_tanhexp_gate(x: f32) -> KwGate {
    if kw_is_nan(x) {
        return KwGate(x, x, x);
    }
    let n = kw_exp(min(x, 6.0));
    let t = kw_tanh(n);
    let d1 = n * kw_tanh_d1(n);
    return KwGate(t, d1, d1 * (1.0 - 2.0 * n * t));
}

fn kw_tanhexp(x: f32) -> f32 {
    return kw_gated(x, kw_tanhexp_gate(x));
}

fn kw_tanhexp_d1(x: f32) -> f32 {
    return kw_gated_d1(x, kw_tanhexp_gate(x));
}

fn kw_tanhexp_d2(x: f32) -> f32 {
    return kw_gated_d2(x, kw_tanhexp_gate(x));
}

fn kw_phish_gate(x: f32) -> KwGate {
    let u = kw_gelu(x);
    let u1 = kw_gelu_d1(x);
    let t = kw_tanh(u);
    let slope = kw_tanh_d1(u);
    return KwGate(t, slope * u1, slope * (kw_gelu_d2(x) - 2.0 * t * u1 * u1));
}

fn kw_phish(x: f32) -> f32 {
    return kw_gated(x, kw_phish_gate(x));
}

fn kw_phish_d1(x: f32) -> f32 {
    return kw_gated_d1(x, kw_phish_gate(x));
}

fn kw_phish_d2(x: f32) -> f32 {
    return kw_gated_d2(x, kw_phish_gate(x));
}
