// relu(x) + epsilon x e^(-x^2/2): at 0 the slope of relu is 0. Beyond -+15 the second term is 0, and x is held there.
#import shared/erf

fn kw_crrelu(x: f32, epsilon: f32) -> f32 {
    if kw_is_nan(x) {
        return x;
    }
    let h = clamp(x, -15.0, 15.0);
    return max(x, 0.0) + epsilon * h * kw_exp_neg_square(0.5, h);
}

fn kw_crrelu_d1(x: f32, epsilon: f32) -> f32 {
    if kw_is_nan(x) {
        return x;
    }
    let h = clamp(x, -15.0, 15.0);
    return select(0.0, 1.0, x > 0.0) + epsilon * ((1.0 - h) * (1.0 + h)) * kw_exp_neg_square(0.5, h);
}

// epsilon x (x^2 - 3) e^(-x^2/2), as a product around the root sqrt(3), which is in two parts.
fn kw_crrelu_d2(x: f32, epsilon: f32) -> f32 {
    if kw_is_nan(x) {
        return x;
    }
    let h = clamp(x, -15.0, 15.0);
    let root = (abs(h) - 1.7320508) - 3.1087249e-8;
    return epsilon * h * (root * (abs(h) + 1.7320508)) * kw_exp_neg_square(0.5, h);
}
