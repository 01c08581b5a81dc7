// x^y = e^(y ln x), with ln x and the product each carried as a sum of two floats: a relative error e in y ln x is an
// error of |y ln x| e in the result, and |y ln x| reaches 103.
//
// ln m = 2 artanh(s) = 2 s + s^3 R(s^2) with s = (m - 1) / (m + 1).
#import shared/bits
#import shared/exp
#import shared/log

// |x|^y for finite |x| > 0 and any y but NaN.
fn kw_pow_positive(x: f32, y: f32) -> f32 {
    let split = kw_split(x);
    let f = split.m - 1.0;
    let d = split.m + 1.0;
    let s = f / d;
    // s = s_hi + s_lo; d = d_hi + d_lo.
    let s_hi = kw_high(s);
    let d_hi = kw_high(d);
    let d_lo = split.m - (d_hi - 1.0);
    let s_lo = ((f - s_hi * d_hi) - s_hi * d_lo) / d;
    let z = s * s;
    let tail = s * z * (((0.24262474 * z + 0.2849945) * z + 0.40000966) * z + 0.6666666);
    // ln x = log_hi + log_lo.
    let a = split.e * KW_LN2_HI;
    let b = 2.0 * s_hi;
    let sum = a + b;
    let lost = b - (sum - a);
    let log_hi = kw_high(sum);
    let log_lo = (sum - log_hi) + (lost + (2.0 * s_lo + (tail + split.e * KW_LN2_LO)));
    // Beyond 2^32 every x but 1 gives 0 or inf, and the product could overflow.
    let w = clamp(y, -4294967296.0, 4294967296.0);
    let w_hi = kw_high(w);
    return kw_exp_parts(w_hi * log_hi, (w - w_hi) * log_hi + w * log_lo);
}

// x^y. x^0 = 1 and 1^y = 1 whatever the other is; NaN for x < 0 and y no integer; an odd integer y keeps the sign of x.
fn kw_pow(x: f32, y: f32) -> f32 {
    if y == 0.0 || x == 1.0 {
        return 1.0;
    }
    if kw_is_nan(x) {
        return x;
    }
    if kw_is_nan(y) {
        return y;
    }
    let size = bitcast<u32>(y) & 0x7fffffffu;
    // From 2^24 on every float is an even integer, infinity included.
    let whole = size >= 0x4b800000u || floor(y) == y;
    let odd = size < 0x4b800000u && whole && (i32(y) & 1) == 1;
    let bits = bitcast<u32>(x);
    let negative = bits > 0x7fffffffu;
    let magnitude = bits & 0x7fffffffu;
    var result: f32;
    if magnitude == 0u || magnitude == 0x7f800000u {
        result = select(0.0, kw_inf(), (magnitude == 0u) == (y < 0.0));
    } else {
        if negative && !whole {
            return kw_nan();
        }
        result = kw_pow_positive(bitcast<f32>(magnitude), y);
    }
    return select(result, -result, negative && odd);
}
