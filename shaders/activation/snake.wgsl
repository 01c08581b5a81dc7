// snake(x) = x + sin^2(a x) / a, any a; for a = 0 that is x. a x is carried as two floats, whose sine and cosine are those of
// a sum, so that a large a x keeps its phase. NaN at +-inf.
#import shared/product
#import shared/trig

struct KwPhase {
    s: f32,
    c: f32,
}

fn kw_snake_phase(x: f32, a: f32) -> KwPhase {
    let u = kw_product(a, x);
    let s = kw_sin(u.hi);
    let c = kw_cos(u.hi);
    let t = kw_sin(u.lo);
    let d = kw_cos(u.lo);
    return KwPhase(s * d + c * t, c * d - s * t);
}

// Where |a x| < 1 the second term is x (a x) (sin(a x) / (a x))^2, which has no a to divide by.
fn kw_snake(x: f32, a: f32) -> f32 {
    if !kw_is_finite(x) {
        return kw_nan();
    }
    let s = kw_snake_phase(x, a).s;
    let u = a * x;
    if abs(u) < 1.0 {
        let sinc = select(s / u, 1.0, abs(u) < 1e-4);
        return x + x * u * (sinc * sinc);
    }
    return x + s * s / a;
}

// 1 + sin(2 a x) = (sin(a x) + cos(a x))^2.
fn kw_snake_d1(x: f32, a: f32) -> f32 {
    if !kw_is_finite(x) {
        return kw_nan();
    }
    let p = kw_snake_phase(x, a);
    return (p.s + p.c) * (p.s + p.c);
}

// 2 a cos(2 a x).
fn kw_snake_d2(x: f32, a: f32) -> f32 {
    if !kw_is_finite(x) {
        return kw_nan();
    }
    let p = kw_snake_phase(x, a);
    return 2.0 * a * ((p.c - p.s) * (p.c + p.s));
}
