// silu(x) = x sigmoid(x). With e = e^-|x| and q = 1 / (1 + e), sigmoid is q or e q and its complement the other one.
// At -inf the value is 0: beyond -+110, where e is 0, x is held, so that no infinity meets a 0.
#import shared/bits
#import shared/exp
#import shared/sigmoid

fn kw_silu(x: f32) -> f32 {
    if x < -110.0 {
        return 0.0;
    }
    return x * kw_sigmoid(x);
}

// s (1 + x (1 - s)).
fn kw_silu_d1(x: f32) -> f32 {
    if kw_is_nan(x) {
        return x;
    }
    let held = clamp(x, -110.0, 110.0);
    let e = kw_exp(-abs(held));
    let q = 1.0 / (1.0 + e);
    let s = select(q, e * q, x < 0.0);
    let complement = select(e * q, q, x < 0.0);
    return s * (1.0 + held * complement);
}

// s (1 - s) (2 + x (1 - 2 s)).
fn kw_silu_d2(x: f32) -> f32 {
    if kw_is_nan(x) {
        return x;
    }
    let a = min(abs(x), 110.0);
    let e = kw_exp(-a);
    let q = 1.0 / (1.0 + e);
    return e * q * q * (2.0 - a * ((1.0 - e) * q));
}
