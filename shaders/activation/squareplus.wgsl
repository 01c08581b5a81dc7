// (x + r) / 2 with r = sqrt(x^2 + b); below 0 that is b / (2 (r - x)), without cancellation.
#import shared/bits
#import shared/hypot

fn kw_squareplus(x: f32, b: f32) -> f32 {
    if kw_is_nan(x) {
        return x;
    }
    let s = sqrt(b);
    let r = kw_hypot(x, s);
    if x >= 0.0 {
        return 0.5 * x + 0.5 * r;
    }
    return 0.5 * s * (s / (r - x));
}

// (1 + x / r) / 2; where b and x are 0, 1/2.
fn kw_squareplus_d1(x: f32, b: f32) -> f32 {
    if kw_is_nan(x) {
        return x;
    }
    let s = sqrt(b);
    let r = kw_hypot(x, s);
    if r == 0.0 {
        return 0.5;
    }
    if x >= 0.0 {
        return 0.5 + 0.5 * kw_share(x, r);
    }
    return 0.5 * (s / r) * (s / (r - x));
}

// b / (2 r^3); where b and x are 0, 0.
fn kw_squareplus_d2(x: f32, b: f32) -> f32 {
    if kw_is_nan(x) {
        return x;
    }
    let s = sqrt(b);
    let r = kw_hypot(x, s);
    if r == 0.0 {
        return 0.0;
    }
    let q = s / r;
    return 0.5 * q * q / r;
}
