// logish(x) = x ln(1 + sigma(x)), and smish(x) = x tanh(ln(1 + sigma(x))), whose gate is s (2 + s) / (2 + 2 s + s^2) with
// s = sigma(x). Both gates keep their digits on the left, where they are about s. At -inf all are 0.
#import shared/gate
#import shared/log
#import shared/logistic

fn kw_logish_gate(x: f32) -> KwGate {
    let l = kw_logistic(x, 0.0);
    let d1 = l.slope / (1.0 + l.s);
    return KwGate(kw_log1p(l.s), d1, -d1 * (l.tilt + d1));
}

fn kw_logish(x: f32) -> f32 {
    return kw_gated(x, kw_logish_gate(x));
}

fn kw_logish_d1(x: f32) -> f32 {
    return kw_gated_d1(x, kw_logish_gate(x));
}

fn kw_logish_d2(x: f32) -> f32 {
    return kw_gated_d2(x, kw_logish_gate(x));
}

fn kw_smish_gate(x: f32) -> KwGate {
    let l = kw_logistic(x, 0.0);
    let m = 1.0 + l.s;
    let d = 1.0 / (2.0 + l.s * (2.0 + l.s));
    let d1 = 4.0 * m * d * d * l.slope;
    return KwGate(l.s * (2.0 + l.s) * d, d1, d1 * (l.slope * (1.0 / m - 4.0 * m * d) - l.tilt));
}

fn kw_smish(x: f32) -> f32 {
    return kw_gated(x, kw_smish_gate(x));
}

fn kw_smish_d1(x: f32) -> f32 {
    return kw_gated_d1(x, kw_smish_gate(x));
}

fn kw_smish_d2(x: f32) -> f32 {
    return kw_gated_d2(x, kw_smish_gate(x));
}
