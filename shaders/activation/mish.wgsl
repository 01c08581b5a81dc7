// mish(x) = x tanh(ln(1 + e^x)). With n = e^x the gate is n (n + 2) / (n (n + 2) + 2), and with e = e^-|x| on the right
// (1 + 2 e) / (1 + 2 e + 2 e^2): no difference is taken, and the left tail keeps its digits. At -inf all three are 0.
#import shared/exp
#import shared/gate

fn kw_mish_gate(x: f32) -> KwGate {
    let e = kw_exp(-abs(x));
    let s = 1.0 / (1.0 + e);
    if x < 0.0 {
        let d = 1.0 / (2.0 + e * (2.0 + e));
        let slope = 4.0 * e * (1.0 + e) * d * d;
        return KwGate(e * (2.0 + e) * d, slope, slope * (1.0 + e * s - 4.0 * e * (1.0 + e) * d));
    }
    let d = 1.0 / (1.0 + 2.0 * e * (1.0 + e));
    let slope = 4.0 * e * e * (1.0 + e) * d * d;
    return KwGate((1.0 + 2.0 * e) * d, slope, slope * (1.0 + s - 4.0 * (1.0 + e) * d));
}

fn kw_mish(x: f32) -> f32 {
    return kw_gated(x, kw_mish_gate(x));
}

fn kw_mish_d1(x: f32) -> f32 {
    return kw_gated_d1(x, kw_mish_gate(x));
}

fn kw_mish_d2(x: f32) -> f32 {
    return kw_gated_d2(x, kw_mish_gate(x));
}
