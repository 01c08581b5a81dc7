// relu(x) = max(x, 0), with derivative 0 at 0. NaN stays NaN in all three.
#import shared/bits

fn kw_relu(x: f32) -> f32 {
    return select(0.0, x, x > 0.0 || kw_is_nan(x));
}

fn kw_relu_d1(x: f32) -> f32 {
    return select(select(0.0, 1.0, x > 0.0), x, kw_is_nan(x));
}

fn kw_relu_d2(x: f32) -> f32 {
    return select(0.0, x, kw_is_nan(x));
}
