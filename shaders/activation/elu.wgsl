// Exponential linear units: a straight line above 0, a (e^(x / b) - 1) up to 0. celu's slopes take e^ of a rounded quotient:
// they are off by up to |x / alpha| 2^-24 of themselves, where they decay, and 1e-6 of max(1, |value|) at most.
#import shared/bits
#import shared/exp

const KW_SELU_SCALE: f32 = 1.050701;
// Scale times alpha.
const KW_SELU_LOW: f32 = 1.7580993;

fn kw_elu(x: f32, alpha: f32) -> f32 {
    if kw_is_nan(x) || x > 0.0 {
        return x;
    }
    return alpha * kw_expm1(x);
}

fn kw_elu_d1(x: f32, alpha: f32) -> f32 {
    if kw_is_nan(x) {
        return x;
    }
    if x > 0.0 {
        return 1.0;
    }
    return alpha * kw_exp(x);
}

fn kw_elu_d2(x: f32, alpha: f32) -> f32 {
    if kw_is_nan(x) {
        return x;
    }
    if x > 0.0 {
        return 0.0;
    }
    return alpha * kw_exp(x);
}

fn kw_selu(x: f32) -> f32 {
    if kw_is_nan(x) || x > 0.0 {
        return KW_SELU_SCALE * x;
    }
    return KW_SELU_LOW * kw_expm1(x);
}

fn kw_selu_d1(x: f32) -> f32 {
    if x > 0.0 {
        return KW_SELU_SCALE;
    }
    return KW_SELU_LOW * kw_exp(x);
}

fn kw_selu_d2(x: f32) -> f32 {
    return kw_elu_d2(x, KW_SELU_LOW);
}

fn kw_celu(x: f32, alpha: f32) -> f32 {
    if kw_is_nan(x) || x > 0.0 {
        return x;
    }
    // Next to 0 it is x, also where the quotient would be subnormal.
    let q = x / alpha;
    if q > -1e-8 {
        return x;
    }
    return alpha * kw_expm1(q);
}

fn kw_celu_d1(x: f32, alpha: f32) -> f32 {
    return kw_elu_d1(x / alpha, 1.0);
}

fn kw_celu_d2(x: f32, alpha: f32) -> f32 {
    return kw_elu_d2(x / alpha, 1.0 / alpha);
}
