// The logistic function and its integral. Both take the exponential of -|x|, which cannot overflow.
#import shared/bits
#import shared/exp
#import shared/log

// 1 / (1 + e^-x), relatively accurate on both sides.
fn kw_sigmoid(x: f32) -> f32 {
    let e = kw_exp(-abs(x));
    return select(1.0, e, x < 0.0) / (1.0 + e);
}

// ln(1 + e^x), relatively accurate on both sides.
fn kw_softplus(x: f32) -> f32 {
    if kw_is_nan(x) {
        return x;
    }
    return max(x, 0.0) + kw_log1p(kw_exp(-abs(x)));
}
