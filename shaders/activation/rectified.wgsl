// Kin of the rectifier: one piece on each side of a threshold, which belongs to the lower piece. NaN stays NaN.
#import shared/bits

fn kw_leaky_relu(x: f32, slope: f32) -> f32 {
    if kw_is_nan(x) || x > 0.0 {
        return x;
    }
    return select(slope * x, 0.0, slope == 0.0);
}

fn kw_leaky_relu_d1(x: f32, slope: f32) -> f32 {
    if kw_is_nan(x) {
        return x;
    }
    return select(slope, 1.0, x > 0.0);
}

fn kw_threshold(x: f32, limit: f32, value: f32) -> f32 {
    return select(value, x, x > limit || kw_is_nan(x));
}

fn kw_threshold_d1(x: f32, limit: f32) -> f32 {
    if kw_is_nan(x) {
        return x;
    }
    return select(0.0, 1.0, x > limit);
}

fn kw_hard_shrink(x: f32, limit: f32) -> f32 {
    return select(x, 0.0, abs(x) <= limit);
}

fn kw_hard_shrink_d1(x: f32, limit: f32) -> f32 {
    if kw_is_nan(x) {
        return x;
    }
    return select(0.0, 1.0, abs(x) > limit);
}

fn kw_soft_shrink(x: f32, limit: f32) -> f32 {
    if kw_is_nan(x) {
        return x;
    }
    return select(select(0.0, x + limit, x < -limit), x - limit, x > limit);
}

fn kw_soft_shrink_d1(x: f32, limit: f32) -> f32 {
    if kw_is_nan(x) {
        return x;
    }
    return select(0.0, 1.0, abs(x) > limit);
}

fn kw_relu_squared(x: f32) -> f32 {
    if kw_is_nan(x) {
        return x;
    }
    return select(0.0, x * x, x > 0.0);
}

fn kw_relu_squared_d1(x: f32) -> f32 {
    if kw_is_nan(x) {
        return x;
    }
    return select(0.0, 2.0 * x, x > 0.0);
}

fn kw_relu_squared_d2(x: f32) -> f32 {
    if kw_is_nan(x) {
        return x;
    }
    return select(0.0, 2.0, x > 0.0);
}

fn kw_star_relu(x: f32, scale: f32, bias: f32) -> f32 {
    if kw_is_nan(x) {
        return x;
    }
    return select(bias, scale * x * x + bias, x > 0.0);
}

fn kw_star_relu_d1(x: f32, scale: f32) -> f32 {
    if kw_is_nan(x) {
        return x;
    }
    return select(0.0, 2.0 * scale * x, x > 0.0);
}

fn kw_star_relu_d2(x: f32, scale: f32) -> f32 {
    return scale * kw_relu_squared_d2(x);
}
