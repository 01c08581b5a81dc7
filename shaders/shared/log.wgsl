// ln x and ln(1 + x). WGSL bounds its own log near 1 only absolutely; these keep a relative error of about an ulp.
//
// x = 2^e m with m between sqrt(1/2) and sqrt(2), and ln m = f - f^2/2 + f^3 P(f) with f = m - 1, which is exact.
#import shared/bits
#import shared/exp

struct KwSplit {
    m: f32,
    e: f32,
}

// The m and e above, for positive finite x. A subnormal is taken as the integer that its bits are, times 2^-149.
fn kw_split(x: f32) -> KwSplit {
    var bits = bitcast<u32>(x);
    var e = -127;
    if bits < 0x00800000u {
        bits = bitcast<u32>(f32(bits));
        e = -127 - 149;
    }
    let shifted = bits + (0x3f800000u - 0x3f3504f3u);
    e += i32(shifted >> 23u);
    return KwSplit(bitcast<f32>((shifted & 0x007fffffu) + 0x3f3504f3u), f32(e));
}

// ln(1 + f) - f, for f from -0.293 to 0.415.
fn kw_log_tail(f: f32) -> f32 {
    var p = 0.069146;
    p = p * f - 0.117888376;
    p = p * f + 0.1187274;
    p = p * f - 0.12384482;
    p = p * f + 0.14218713;
    p = p * f - 0.16669247;
    p = p * f + 0.20002224;
    p = p * f - 0.24999987;
    p = p * f + 0.3333331;
    let z = f * f;
    return f * z * p - 0.5 * z;
}

// ln x; -inf at 0, NaN below it.
fn kw_log(x: f32) -> f32 {
    let bits = bitcast<u32>(x);
    if kw_is_nan(x) || bits == 0x7f800000u {
        return x;
    }
    if (bits & 0x7fffffffu) == 0u {
        return -kw_inf();
    }
    if bits > 0x7fffffffu {
        return kw_nan();
    }
    let s = kw_split(x);
    let f = s.m - 1.0;
    return s.e * KW_LN2_HI + (f + (kw_log_tail(f) + s.e * KW_LN2_LO));
}

// ln(1 + x), with full relative accuracy near 0; -inf at -1, NaN below it.
fn kw_log1p(x: f32) -> f32 {
    if kw_is_nan(x) || bitcast<u32>(x) == 0x7f800000u {
        return x;
    }
    if x <= -1.0 {
        if x < -1.0 {
            return kw_nan();
        }
        return -kw_inf();
    }
    if x > -0.29 && x < 0.41 {
        return x + kw_log_tail(x);
    }
    let u = 1.0 + x;
    // What the sum lost to rounding.
    let lost = select(x - (u - 1.0), 1.0 - (u - x), x > 1.0);
    let s = kw_split(u);
    let f = s.m - 1.0;
    return s.e * KW_LN2_HI + (f + (kw_log_tail(f) + (s.e * KW_LN2_LO + lost / u)));
}
