// The inverse hyperbolic sine, ln(|x| + sqrt(x^2 + 1)) with the sign of x, without cancellation near 0: the argument less 1
// is |x| + x^2 / (1 + sqrt(x^2 + 1)). From 1e8 on it is 2 |x|, and x^2 may not overflow.
#import shared/bits
#import shared/log

fn kw_asinh(x: f32) -> f32 {
    if kw_is_nan(x) || x == 0.0 {
        return x;
    }
    let a = abs(x);
    var y: f32;
    if a > 1e8 {
        y = kw_log(a) + 0.6931472;
    } else {
        y = kw_log1p(a + a * (a / (1.0 + sqrt(a * a + 1.0))));
    }
    return select(y, -y, x < 0.0);
}

// 1 / sqrt(x^2 + 1).
fn kw_asinh_d1(x: f32) -> f32 {
    if kw_is_nan(x) {
        return x;
    }
    let a = abs(x);
    if a > 1e8 {
        return 1.0 / a;
    }
    return 1.0 / sqrt(1.0 + a * a);
}

// -x / (x^2 + 1)^(3/2).
fn kw_asinh_d2(x: f32) -> f32 {
    let q = kw_asinh_d1(x);
    let bounded = select(x * q, select(1.0, -1.0, x < 0.0), abs(x) > 1e8);
    return -bounded * q * q;
}
