// Arithmetic, comparison and choice, by one name each, so that fused kernels can be put together from names.
// Also kw_exp, kw_expm1, kw_log, kw_log1p and kw_pow, from the files that it imports.
#import shared/bits
#import shared/exp
#import shared/log
#import shared/pow

fn kw_add(a: f32, b: f32) -> f32 { return a + b; }
fn kw_sub(a: f32, b: f32) -> f32 { return a - b; }
fn kw_mul(a: f32, b: f32) -> f32 { return a * b; }
fn kw_div(a: f32, b: f32) -> f32 { return a / b; }

// The larger, or NaN if either is. (WGSL's own max may give the other one.)
fn kw_max(a: f32, b: f32) -> f32 {
    if kw_is_nan(a) {
        return a;
    }
    return select(b, a, a >= b && !kw_is_nan(b));
}

// The smaller, or NaN if either is.
fn kw_min(a: f32, b: f32) -> f32 {
    if kw_is_nan(a) {
        return a;
    }
    return select(b, a, a <= b && !kw_is_nan(b));
}

fn kw_neg(x: f32) -> f32 { return -x; }
fn kw_abs(x: f32) -> f32 { return abs(x); }

// -1, 0 or 1; NaN stays NaN.
fn kw_sign(x: f32) -> f32 {
    return select(select(select(0.0, -1.0, x < 0.0), 1.0, x > 0.0), x, kw_is_nan(x));
}

// NaN below 0.
fn kw_sqrt(x: f32) -> f32 { return sqrt(x); }
fn kw_rsqrt(x: f32) -> f32 { return inverseSqrt(x); }
fn kw_recip(x: f32) -> f32 { return 1.0 / x; }
fn kw_square(x: f32) -> f32 { return x * x; }

// Comparisons: with a NaN only kw_ne holds. (The `!=` of WGSL may be false there.)
fn kw_gt(a: f32, b: f32) -> bool { return a > b; }
fn kw_ge(a: f32, b: f32) -> bool { return a >= b; }
fn kw_lt(a: f32, b: f32) -> bool { return a < b; }
fn kw_le(a: f32, b: f32) -> bool { return a <= b; }
fn kw_eq(a: f32, b: f32) -> bool { return a == b; }
fn kw_ne(a: f32, b: f32) -> bool { return !(a == b); }

// `a` where c holds, else `b`.
fn kw_select(c: bool, a: f32, b: f32) -> f32 { return select(b, a, c); }
