// The derivative of order KAN_DERIVATIVE of silu(x) = x / (1 + e^-x): v (x R_d(t) + d R_(d-1)(t)) with t = tanh(x / 2) and
// v = 1 - t^2.
#import shared/bits
#import shared/exp

const KAN_DERIVATIVE: u32 = 0u;

// silu^(d)(x); its limits at the infinities. a, b and c hold six coefficients of R_d, then six of d R_(d-1).
fn kan_silu_by(x: f32, a: vec4<f32>, b: vec4<f32>, c: vec4<f32>) -> f32 {
    if kw_is_nan(x) {
        return x;
    }
    // Beyond 110 e^-|x| is 0; x is held there so that no infinity meets a 0.
    let held = clamp(x, -110.0, 110.0);
    let e = kw_exp(-abs(held));
    let q = 1.0 / (1.0 + e);
    let s = select(q, e * q, x < 0.0);
    if KAN_DERIVATIVE == 0u {
        return select(x * s, 0.0, x < -110.0);
    }
    if KAN_DERIVATIVE == 1u {
        return s + held * (e * q * q);
    }
    let t = select(1.0 - e, e - 1.0, x < 0.0) * q;
    let upper = ((((b.y * t + b.x) * t + a.w) * t + a.z) * t + a.y) * t + a.x;
    let lower = ((((c.w * t + c.z) * t + c.y) * t + c.x) * t + b.w) * t + b.z;
    return 4.0 * e * q * q * (held * upper + lower);
}
