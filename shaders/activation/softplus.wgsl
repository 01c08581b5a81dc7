// softplus(x) = ln(1 + e^(beta x)) / beta, beta > 0, as max(x, 0) + ln(1 + e^-|beta x|) / beta: neither side overflows, and
// both keep their digits. log_sigmoid(x) = -softplus(-x) with beta = 1.
#import shared/log
#import shared/logistic
#import shared/product
#import shared/sigmoid

fn kw_softplus_beta(x: f32, beta: f32) -> f32 {
    if kw_is_nan(x) {
        return x;
    }
    let v = kw_product(beta, -min(abs(x), 3.4028234e38));
    return max(x, 0.0) + kw_log1p(kw_exp_parts(v.hi, v.lo)) / beta;
}

fn kw_softplus_d1_beta(x: f32, beta: f32) -> f32 {
    let v = kw_product(beta, kw_held(x));
    return kw_logistic(v.hi, v.lo).s;
}

fn kw_softplus_d2_beta(x: f32, beta: f32) -> f32 {
    let v = kw_product(beta, kw_held(x));
    return beta * kw_logistic(v.hi, v.lo).slope;
}

fn kw_log_sigmoid(x: f32) -> f32 {
    return -kw_softplus(-x);
}

fn kw_log_sigmoid_d1(x: f32) -> f32 {
    return kw_sigmoid(-x);
}

fn kw_log_sigmoid_d2(x: f32) -> f32 {
    return -kw_logistic(x, 0.0).slope;
}
