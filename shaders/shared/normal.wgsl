// The normal distribution: density and cumulative, relatively accurate in both tails.
#import shared/bits
#import shared/erf

const KW_SQRT_HALF: f32 = 0.70710677;

// e^(-x^2 / 2) / sqrt(2 pi).
fn kw_normal_pdf(x: f32) -> f32 {
    if kw_is_nan(x) {
        return x;
    }
    if abs(x) > 14.5 {
        return 0.0;
    }
    return 0.3989423 * kw_exp_neg_square(0.5, x);
}

// erfc(-x / sqrt 2) / 2. The tail takes its exponential from x itself, not from the rounded x / sqrt 2.
fn kw_normal_cdf(x: f32) -> f32 {
    if kw_is_nan(x) {
        return x;
    }
    if x > -0.71 {
        return 0.5 + 0.5 * kw_erf(x * KW_SQRT_HALF);
    }
    if x < -14.5 {
        return 0.0;
    }
    return 0.5 * kw_exp_neg_square(0.5, x) * kw_erfcx(-x * KW_SQRT_HALF);
}
