// f = 1 / (1 + t^d) with t = |x| / a, and g = 1 - f. Powers are those of a number up to 1: t^d, or beyond 1 t^-d.
#import shared/bits
#import shared/pow

struct KwElephant {
    // |x| / a, and what rounding took of it, relative to it.
    t: f32,
    lost: f32,
    // f and g.
    f: f32,
    g: f32,
    // t^(d - 1) up to 1.
    p1: f32,
}

// t^y; t's own rounding is put back.
fn kw_elephant_power(t: f32, lost: f32, y: f32) -> f32 {
    return kw_pow(t, y) * (1.0 + y * lost);
}

fn kw_elephant_parts(x: f32, a: f32, d: f32) -> KwElephant {
    let t = abs(x) / a;
    // The remainder |x| - t a: the first product is exact.
    let t_hi = kw_high(t);
    let a_hi = kw_high(a);
    let rest = ((abs(x) - t_hi * a_hi) - t_hi * (a - a_hi)) - (t - t_hi) * a;
    let lost = select(0.0, rest / abs(x), t > 1e-20 && t < 1e20 && abs(x) > 1e-20 && abs(x) < 1e20);
    if t > 1.0 {
        let p = kw_elephant_power(t, lost, -d);
        let g = 1.0 / (1.0 + p);
        return KwElephant(t, lost, p * g, g, 0.0);
    }
    let p1 = kw_elephant_power(t, lost, d - 1.0);
    let p = p1 * t;
    let f = 1.0 / (1.0 + p);
    return KwElephant(t, lost, f, p * f, p1);
}

fn kw_elephant(x: f32, a: f32, d: f32) -> f32 {
    if kw_is_nan(x) {
        return x;
    }
    return kw_elephant_parts(x, a, d).f;
}

// -sign(x) d f g / |x|; up to t = 1 it is -sign(x) (d / a) t^(d - 1) f^2, and 0 at 0.
fn kw_elephant_d1(x: f32, a: f32, d: f32) -> f32 {
    if kw_is_nan(x) {
        return x;
    }
    let e = kw_elephant_parts(x, a, d);
    let side = select(select(0.0, 1.0, x < 0.0), -1.0, x > 0.0);
    if e.t > 1.0 {
        return side * d * (e.f * e.g) / abs(x);
    }
    return side * (d / a) * (e.p1 * e.f) * e.f;
}

// d f g ((d + 1) g - (d - 1) f) / x^2; up to t = 1, f g / x^2 is t^(d - 2) (f / a)^2.
fn kw_elephant_d2(x: f32, a: f32, d: f32) -> f32 {
    if kw_is_nan(x) {
        return x;
    }
    let e = kw_elephant_parts(x, a, d);
    if e.t > 1.0 {
        return d * (e.f / abs(x)) * (e.g * ((d + 1.0) * e.g - (d - 1.0) * e.f)) / abs(x);
    }
    // t^(d - 2) ((d + 1) t^d - (d - 1)), which is 2 for d = 1.
    var bend = 2.0;
    if d > 1.0 {
        bend = kw_elephant_power(e.t, e.lost, d - 2.0) * ((d + 1.0) * (e.p1 * e.t) - (d - 1.0));
    }
    let q = e.f / a;
    return d * e.f * (q * bend) * q;
}
