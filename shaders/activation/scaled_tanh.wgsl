// The hyperbolic tangent with other scales.
#import activation/tanh
#import shared/bits
#import shared/tanh

fn kw_penalized_tanh(x: f32, alpha: f32) -> f32 {
    return select(alpha, 1.0, x > 0.0) * kw_tanh(x);
}

fn kw_penalized_tanh_d1(x: f32, alpha: f32) -> f32 {
    return select(alpha, 1.0, x > 0.0) * kw_tanh_d1(x);
}

fn kw_penalized_tanh_d2(x: f32, alpha: f32) -> f32 {
    return select(alpha, 1.0, x > 0.0) * kw_tanh_d2(x);
}

fn kw_lecun_tanh(x: f32) -> f32 {
    return 1.7159 * kw_tanh(0.6666667 * x);
}

fn kw_lecun_tanh_d1(x: f32) -> f32 {
    return 1.1439333 * kw_tanh_d1(0.6666667 * x);
}

fn kw_lecun_tanh_d2(x: f32) -> f32 {
    return 0.76262224 * kw_tanh_d2(0.6666667 * x);
}

// x - tanh x, as x^3 P(x^2) up to 1.
fn kw_tanh_shrink(x: f32) -> f32 {
    if abs(x) < 1.0 {
        let z = x * x;
        var p = -0.00014282172;
        p = p * z + 0.0009236014;
        p = p * z - 0.0032069427;
        p = p * z + 0.008697944;
        p = p * z - 0.021829583;
        p = p * z + 0.05396342;
        p = p * z - 0.1333331;
        p = p * z + 0.33333334;
        return x * (z * p);
    }
    return x - kw_tanh(x);
}

fn kw_tanh_shrink_d1(x: f32) -> f32 {
    let t = kw_tanh(x);
    return t * t;
}

fn kw_tanh_shrink_d2(x: f32) -> f32 {
    return -kw_tanh_d2(x);
}
