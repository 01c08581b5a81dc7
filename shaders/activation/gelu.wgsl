// gelu(x) = x Phi(x) with Phi the normal cumulative and phi its density: the exact form, not the one with tanh.
// All three are 0 at -inf.
#import shared/bits
#import shared/erf
#import shared/normal

fn kw_gelu(x: f32) -> f32 {
    if x < -14.5 {
        return 0.0;
    }
    return x * kw_normal_cdf(x);
}

// Phi(x) + x phi(x). On the left phi is taken out: Phi / phi = sqrt(pi / 2) erfcx(-x / sqrt 2).
fn kw_gelu_d1(x: f32) -> f32 {
    if kw_is_nan(x) {
        return x;
    }
    if abs(x) > 14.5 {
        return select(0.0, 1.0, x > 0.0);
    }
    if x < -1.0 {
        return kw_normal_pdf(x) * (1.2533141 * kw_erfcx(-x * KW_SQRT_HALF) + x);
    }
    return kw_normal_cdf(x) + x * kw_normal_pdf(x);
}

// phi(x) (2 - x^2), as the product of sqrt 2 - x and sqrt 2 + x with sqrt 2 in two parts.
fn kw_gelu_d2(x: f32) -> f32 {
    if kw_is_nan(x) {
        return x;
    }
    let a = min(abs(x), 15.0);
    return kw_normal_pdf(a) * (((1.4142135 - a) + 2.4203233e-8) * (1.4142135 + a));
}
