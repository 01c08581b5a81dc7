// Products as sums of two floats, for functions that would multiply a product's rounding.
#import shared/bits

struct KwProduct {
    hi: f32,
    lo: f32,
}

// `x` with infinities replaced by the largest floats. NaN stays.
fn kw_held(x: f32) -> f32 {
    return select(clamp(x, -3.4028234e38, 3.4028234e38), x, kw_is_nan(x));
}

// a b = hi + lo for finite a and b. hi is exact; lo is up to 2^-10 of it, of the same sign, and off by 2^-24 of its own.
fn kw_product(a: f32, b: f32) -> KwProduct {
    let ah = kw_high(a);
    let bh = kw_high(b);
    return KwProduct(ah * bh, ah * (b - bh) + (a - ah) * b);
}
