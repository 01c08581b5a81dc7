// Gates expanded from (0, 1) to (-alpha, 1 + alpha): x (g (1 + 2 alpha) - alpha) for g = Phi (xgelu) and sigma (xsilu). As
// g(x) + g(-x) = 1, that is (1 + alpha) f(x) + alpha f(-x) with f(x) = x g(x): no cancellation where alpha is 0 or -1.
#import activation/gelu
#import activation/silu

// w y, and 0 for a weight of 0, whatever y is.
fn kw_weighted(w: f32, y: f32) -> f32 {
    return select(w * y, 0.0, w == 0.0 && !kw_is_nan(y));
}

fn kw_xgelu(x: f32, alpha: f32) -> f32 {
    return kw_weighted(1.0 + alpha, kw_gelu(x)) + kw_weighted(alpha, kw_gelu(-x));
}

fn kw_xgelu_d1(x: f32, alpha: f32) -> f32 {
    return (1.0 + alpha) * kw_gelu_d1(x) - alpha * kw_gelu_d1(-x);
}

fn kw_xgelu_d2(x: f32, alpha: f32) -> f32 {
    return (1.0 + 2.0 * alpha) * kw_gelu_d2(x);
}

fn kw_xsilu(x: f32, alpha: f32) -> f32 {
    return kw_weighted(1.0 + alpha, kw_silu(x)) + kw_weighted(alpha, kw_silu(-x));
}

fn kw_xsilu_d1(x: f32, alpha: f32) -> f32 {
    return (1.0 + alpha) * kw_silu_d1(x) - alpha * kw_silu_d1(-x);
}

fn kw_xsilu_d2(x: f32, alpha: f32) -> f32 {
    return (1.0 + 2.0 * alpha) * kw_silu_d2(x);
}
