// The arctangent as an activation: slopes 1 / (1 + x^2) and -2 x / (1 + x^2)^2.
#import shared/atan
#import shared/bits

fn kw_arctan(x: f32) -> f32 {
    // -0 stays -0.
    return select(kw_atan(x), x, x == 0.0);
}

fn kw_arctan_d1(x: f32) -> f32 {
    if kw_is_nan(x) {
        return x;
    }
    return 1.0 / (1.0 + x * x);
}

fn kw_arctan_d2(x: f32) -> f32 {
    if kw_is_nan(x) {
        return x;
    }
    // Beyond, nothing of it is left.
    let h = clamp(x, -1e16, 1e16);
    let q = 1.0 / (1.0 + h * h);
    return -2.0 * (h * q) * q;
}
