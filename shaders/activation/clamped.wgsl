// Pieces of straight lines and parabolas between two limits. At a limit the slope is that of the outside, as
// PyTorch's clamp has it. NaN stays NaN.
#import shared/bits

fn kw_hard_tanh(x: f32, low: f32, high: f32) -> f32 {
    if kw_is_nan(x) {
        return x;
    }
    return select(select(x, high, x > high), low, x < low);
}

fn kw_hard_tanh_d1(x: f32, low: f32, high: f32) -> f32 {
    if kw_is_nan(x) {
        return x;
    }
    return select(0.0, 1.0, x > low && x < high);
}

fn kw_relu6(x: f32) -> f32 {
    return kw_hard_tanh(x, 0.0, 6.0);
}

fn kw_relu6_d1(x: f32) -> f32 {
    return kw_hard_tanh_d1(x, 0.0, 6.0);
}

fn kw_hard_sigmoid(x: f32) -> f32 {
    return (kw_hard_tanh(x, -3.0, 3.0) + 3.0) / 6.0;
}

fn kw_hard_sigmoid_d1(x: f32) -> f32 {
    return kw_hard_tanh_d1(x, -3.0, 3.0) / 6.0;
}

fn kw_hard_swish(x: f32) -> f32 {
    if kw_is_nan(x) || x >= 3.0 {
        return x;
    }
    return select(x * (x + 3.0) / 6.0, 0.0, x <= -3.0);
}

fn kw_hard_swish_d1(x: f32) -> f32 {
    if kw_is_nan(x) {
        return x;
    }
    return select(select((2.0 * x + 3.0) / 6.0, 1.0, x >= 3.0), 0.0, x <= -3.0);
}

fn kw_hard_swish_d2(x: f32) -> f32 {
    return kw_hard_tanh_d1(x, -3.0, 3.0) / 3.0;
}

fn kw_hard_mish(x: f32) -> f32 {
    if kw_is_nan(x) || x >= 0.0 {
        return x;
    }
    return select(0.5 * x * (x + 2.0), 0.0, x <= -2.0);
}

fn kw_hard_mish_d1(x: f32) -> f32 {
    if kw_is_nan(x) {
        return x;
    }
    return select(select(x + 1.0, 1.0, x >= 0.0), 0.0, x <= -2.0);
}

fn kw_hard_mish_d2(x: f32) -> f32 {
    return kw_hard_tanh_d1(x, -2.0, 0.0);
}

