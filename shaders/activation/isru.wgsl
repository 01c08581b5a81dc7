// x / sqrt(1 + alpha x^2), over z = sqrt(alpha) |x|: beyond 1e5 the 1 is lost, and z^2 may not overflow.
#import shared/bits

fn kw_isru(x: f32, alpha: f32) -> f32 {
    let s = sqrt(alpha);
    if s == 0.0 || kw_is_nan(x) {
        return x;
    }
    let z = s * abs(x);
    if z > 1e5 {
        return select(1.0, -1.0, x < 0.0) / s;
    }
    return x / sqrt(1.0 + z * z);
}

fn kw_isru_d1(x: f32, alpha: f32) -> f32 {
    if kw_is_nan(x) {
        return x;
    }
    if alpha == 0.0 {
        return 1.0;
    }
    let z = sqrt(alpha) * abs(x);
    let q = 1.0 / sqrt(1.0 + z * z);
    return q * q * q;
}

fn kw_isru_d2(x: f32, alpha: f32) -> f32 {
    if kw_is_nan(x) {
        return x;
    }
    let s = sqrt(alpha);
    if s == 0.0 {
        return 0.0;
    }
    let z = s * abs(x);
    let q = 1.0 / sqrt(1.0 + z * z);
    return -3.0 * s * (s * kw_isru(x, alpha)) * q * q * q * q;
}

fn kw_isrlu(x: f32, alpha: f32) -> f32 {
    if x >= 0.0 {
        return x;
    }
    return kw_isru(x, alpha);
}

fn kw_isrlu_d1(x: f32, alpha: f32) -> f32 {
    if x >= 0.0 {
        return 1.0;
    }
    return kw_isru_d1(x, alpha);
}

fn kw_isrlu_d2(x: f32, alpha: f32) -> f32 {
    if x >= 0.0 {
        return 0.0;
    }
    return kw_isru_d2(x, alpha);
}

// (sqrt(x^2 + 1) - 1) / 2 + x = x (1 + x / (2 (sqrt(x^2 + 1) + 1))).
fn kw_bent_identity(x: f32) -> f32 {
    if kw_is_nan(x) {
        return x;
    }
    if abs(x) > 1e8 {
        return x * select(1.5, 0.5, x < 0.0);
    }
    return x * (1.0 + 0.5 * (x / (sqrt(x * x + 1.0) + 1.0)));
}

fn kw_bent_identity_d1(x: f32) -> f32 {
    return 1.0 + 0.5 * kw_isru(x, 1.0);
}

fn kw_bent_identity_d2(x: f32) -> f32 {
    return 0.5 * kw_isru_d1(x, 1.0);
}
