// tanh, whose slope 1 - tanh^2 is taken as 4 e / (1 + e)^2 with e = e^(-2 |x|), which loses nothing far out.
#import shared/exp
#import shared/tanh

fn kw_tanh_d1(x: f32) -> f32 {
    let e = kw_exp(-2.0 * abs(x));
    let q = 1.0 / (1.0 + e);
    return 4.0 * e * q * q;
}

fn kw_tanh_d2(x: f32) -> f32 {
    return -2.0 * kw_tanh(x) * kw_tanh_d1(x);
}
