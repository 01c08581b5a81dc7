// x (beta (atan(x)/pi + 1/2) - alpha) with beta = 1 + 2 alpha. Up to 1 the gate is 1/2 + beta atan(x)/pi. Beyond, with
// t = 1/|x| and z = t^2, what remains of pi/2 is atan t: side x - beta (atan t / t)/pi, where side is the gate's limit.
#import shared/atan
#import shared/bits

const KW_ONE_BY_PI: f32 = 0.31830987;

fn kw_xatlu_side(x: f32, alpha: f32) -> f32 {
    return select(1.0 + alpha, -alpha, x < 0.0);
}

fn kw_xatlu(x: f32, alpha: f32) -> f32 {
    if kw_is_nan(x) {
        return x;
    }
    let beta = (1.0 + 2.0 * alpha) * KW_ONE_BY_PI;
    if abs(x) <= 1.0 {
        return x * (0.5 + beta * kw_atan(x));
    }
    let t = 1.0 / abs(x);
    let z = t * t;
    let side = kw_xatlu_side(x, alpha);
    return select(side * x, 0.0, side == 0.0) - beta * (1.0 + z * kw_atan_tail(z));
}

// (1 + z) (atan t - t / (1 + z)) / t^3.
fn kw_atan_rest(z: f32) -> f32 {
    var p = 0.00039063973;
    p = p * z - 0.0022692257;
    p = p * z + 0.0063410625;
    p = p * z - 0.012130939;
    p = p * z + 0.019645307;
    p = p * z - 0.031648193;
    p = p * z + 0.057134032;
    p = p * z - 0.13333303;
    return p * z + 0.6666667;
}

// 1/2 + beta (atan x + x / (1 + x^2)) / pi.
fn kw_xatlu_d1(x: f32, alpha: f32) -> f32 {
    if kw_is_nan(x) {
        return x;
    }
    let beta = (1.0 + 2.0 * alpha) * KW_ONE_BY_PI;
    if abs(x) <= 1.0 {
        return 0.5 + beta * (kw_atan(x) + x / (1.0 + x * x));
    }
    let t = 1.0 / abs(x);
    let z = t * t;
    let rest = beta * (t * (z * kw_atan_rest(z)) / (1.0 + z));
    return kw_xatlu_side(x, alpha) + select(-rest, rest, x < 0.0);
}

fn kw_xatlu_d2(x: f32, alpha: f32) -> f32 {
    if kw_is_nan(x) {
        return x;
    }
    let q = 1.0 / (1.0 + x * x);
    return 2.0 * ((1.0 + 2.0 * alpha) * KW_ONE_BY_PI) * q * q;
}
