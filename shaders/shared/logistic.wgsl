// The logistic function with all that its derivatives are made of, from one exponential.
#import shared/exp

struct KwLogistic {
    // sigma(v) and sigma(-v), each to a few ulp.
    s: f32,
    c: f32,
    // Their product: the slope of sigma.
    slope: f32,
    // Their difference: tanh(v / 2), absolutely accurate. The slope's own slope is -slope tilt.
    tilt: f32,
}

// For v = hi + lo, where lo is a small part of the sign of hi.
fn kw_logistic(hi: f32, lo: f32) -> KwLogistic {
    let negative = hi < 0.0;
    let e = kw_exp_parts(-abs(hi), select(-lo, lo, negative));
    let q = 1.0 / (1.0 + e);
    let p = e * q;
    let tilt = (1.0 - e) * q;
    return KwLogistic(select(q, p, negative), select(p, q, negative), p * q, select(tilt, -tilt, negative));
}
