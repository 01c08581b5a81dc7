// gcu(x) = x cos x, the growing cosine unit; spder(x) = sin x sqrt|x|, whose slope at 0 is 0 and whose second derivative there
// is infinite, of the sign of that 0. NaN at +-inf.
#import shared/bits
#import shared/trig

fn kw_gcu(x: f32) -> f32 {
    return x * kw_cos(x);
}

fn kw_gcu_d1(x: f32) -> f32 {
    return kw_cos(x) - x * kw_sin(x);
}

fn kw_gcu_d2(x: f32) -> f32 {
    return -2.0 * kw_sin(x) - x * kw_cos(x);
}

fn kw_spder(x: f32) -> f32 {
    return kw_sin(x) * sqrt(abs(x));
}

// sqrt a (cos a + sin a / (2 a)), a = |x|.
fn kw_spder_d1(x: f32) -> f32 {
    if !kw_is_finite(x) {
        return kw_nan();
    }
    let a = abs(x);
    let sinc = select(kw_sin(a) / a, 1.0, a < 1e-4);
    return sqrt(a) * (kw_cos(a) + 0.5 * sinc);
}

// +-(cos a - sin a / (4 a) - a sin a) / sqrt a.
fn kw_spder_d2(x: f32) -> f32 {
    if !kw_is_finite(x) {
        return kw_nan();
    }
    let a = abs(x);
    if a == 0.0 {
        return select(kw_inf(), -kw_inf(), bitcast<u32>(x) > 0x7fffffffu);
    }
    let s = kw_sin(a);
    let sinc = select(s / a, 1.0, a < 1e-4);
    let y = (kw_cos(a) - 0.25 * sinc - a * s) / sqrt(a);
    return select(y, -y, x < 0.0);
}
