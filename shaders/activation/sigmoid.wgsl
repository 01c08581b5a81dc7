// sigmoid(x) = 1 / (1 + e^-x). With e = e^-|x| and q = 1 / (1 + e): s (1 - s) = e q^2 and 1 - 2 s = -sign(x) (1 - e) q,
// so that no difference of near values is taken.
#import shared/exp
#import shared/sigmoid

fn kw_sigmoid_d1(x: f32) -> f32 {
    let e = kw_exp(-abs(x));
    let q = 1.0 / (1.0 + e);
    return e * q * q;
}

fn kw_sigmoid_d2(x: f32) -> f32 {
    let e = kw_exp(-abs(x));
    let q = 1.0 / (1.0 + e);
    // 1 - e, exact near 0.
    let rest = -kw_expm1(-abs(x));
    return select(1.0, -1.0, x > 0.0) * (e * q * q) * (rest * q);
}
