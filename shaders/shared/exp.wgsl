// e^x and e^x - 1. WGSL allows its own exp an error of 3 + 2 |x| ulp; these stay below 2.
//
// x = n ln 2 + r with |r| <= ln 2 / 2; ln 2 is split so that n times its first part is exact. Then
// e^r = 1 + r + r^2 P(r), P of least largest error in e^r - 1.
#import shared/bits

const KW_LN2_HI: f32 = 0.693145751953125;
const KW_LN2_LO: f32 = 1.4286068e-6;
const KW_LOG2E: f32 = 1.442695;
// From 88.72284 on e^x overflows, by itself or by this bound; below the next it is 0, even as a subnormal.
const KW_EXP_MAX: f32 = 88.73;
const KW_EXP_MIN: f32 = -103.98;

// (e^r - 1 - r) for |r| <= ln 2 / 2.
fn kw_exp_tail(r: f32) -> f32 {
    var p = 0.00019956545;
    p = p * r + 0.0013933897;
    p = p * r + 0.008333194;
    p = p * r + 0.041666478;
    p = p * r + 0.16666667;
    p = p * r + 0.5;
    return r * r * p;
}

// e^(hi + lo), where lo is a small correction to hi.
fn kw_exp_parts(hi: f32, lo: f32) -> f32 {
    let x = hi + lo;
    if kw_is_nan(x) {
        return x;
    }
    if x > KW_EXP_MAX {
        return kw_inf();
    }
    if x < KW_EXP_MIN {
        return 0.0;
    }
    let n = round(x * KW_LOG2E);
    let r = ((hi - n * KW_LN2_HI) + lo) - n * KW_LN2_LO;
    return kw_scale(1.0 + (r + kw_exp_tail(r)), i32(n));
}

// e^x; inf above the range, 0 below it.
fn kw_exp(x: f32) -> f32 {
    return kw_exp_parts(x, 0.0);
}

// e^x - 1, with full relative accuracy near 0.
fn kw_expm1(x: f32) -> f32 {
    if kw_is_nan(x) {
        return x;
    }
    if abs(x) < 0.3466 {
        return x + kw_exp_tail(x);
    }
    if x > KW_EXP_MAX {
        return kw_inf();
    }
    if x < -17.4 {
        return -1.0;
    }
    let n = round(x * KW_LOG2E);
    let r = (x - n * KW_LN2_HI) - n * KW_LN2_LO;
    let m = r + kw_exp_tail(r);
    if n > 30.0 {
        return kw_scale(1.0 + m, i32(n));
    }
    let s = kw_pow2(i32(n));
    return s * m + (s - 1.0);
}
