// gelu_tanh(x) = x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) = x sigma(v) with v = x (a + b x^2).
// Beyond -+12 the gate is 0 or 1 and x is held, so that x^3 does not overflow. At -inf all three are 0.
#import shared/bits
#import shared/gate
#import shared/logistic

fn kw_gelu_tanh_gate(x: f32) -> KwGate {
    if kw_is_nan(x) {
        return KwGate(x, x, x);
    }
    let h = clamp(x, -12.0, 12.0);
    let z = h * h;
    let l = kw_logistic(h * (1.5957692 + 0.071354814 * z), 0.0);
    let v1 = 1.5957692 + 0.21406445 * z;
    return KwGate(l.s, l.slope * v1, l.slope * (0.4281289 * h - v1 * v1 * l.tilt));
}

fn kw_gelu_tanh(x: f32) -> f32 {
    return kw_gated(x, kw_gelu_tanh_gate(x));
}

fn kw_gelu_tanh_d1(x: f32) -> f32 {
    return kw_gated_d1(x, kw_gelu_tanh_gate(x));
}

fn kw_gelu_tanh_d2(x: f32) -> f32 {
    return kw_gated_d2(x, kw_gelu_tanh_gate(x));
}
