// gaussian(x) = e^(-x^2), and erf, whose slope it is but for 2/sqrt(pi). x^2 is carried as two floats. Beyond -+11 all
// slopes are 0, and |x| is held there.
#import shared/erf

fn kw_gaussian(x: f32) -> f32 {
    if kw_is_nan(x) {
        return x;
    }
    return kw_exp_neg_square(1.0, min(abs(x), 11.0));
}

fn kw_gaussian_d1(x: f32) -> f32 {
    if kw_is_nan(x) {
        return x;
    }
    return -2.0 * clamp(x, -11.0, 11.0) * kw_gaussian(x);
}

// (4 x^2 - 2) e^(-x^2), as a product around the root sqrt(1/2), which is in two parts.
fn kw_gaussian_d2(x: f32) -> f32 {
    if kw_is_nan(x) {
        return x;
    }
    let a = min(abs(x), 11.0);
    return 4.0 * kw_gaussian(a) * (((a - 0.70710677) - 1.2101617e-8) * (a + 0.70710677));
}

fn kw_erf_d1(x: f32) -> f32 {
    return 1.1283792 * kw_gaussian(x);
}

fn kw_erf_d2(x: f32) -> f32 {
    return 1.1283792 * kw_gaussian_d1(x);
}
