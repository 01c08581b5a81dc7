// (lambda1 x + lambda2) / r^2 with r = sqrt(x^2 + d^2), over u = x / r, v = 1 / r and w = d / r, which cannot overflow.
#import shared/bits
#import shared/hypot

struct KwCauchy {
    u: f32,
    v: f32,
    w: f32,
}

fn kw_cauchy_parts(x: f32, d: f32) -> KwCauchy {
    let r = kw_hypot(x, d);
    return KwCauchy(kw_share(x, r), 1.0 / r, d / r);
}

fn kw_cauchy(x: f32, lambda1: f32, lambda2: f32, d: f32) -> f32 {
    if kw_is_nan(x) {
        return x;
    }
    let p = kw_cauchy_parts(x, d);
    // Around its root as a sum of the two terms themselves, which may overflow far away.
    let near = (lambda1 * x + lambda2) * p.v;
    return select(lambda1 * p.u + lambda2 * p.v, near, abs(x) < 1e20) * p.v;
}

fn kw_cauchy_d1(x: f32, lambda1: f32, lambda2: f32, d: f32) -> f32 {
    if kw_is_nan(x) {
        return x;
    }
    let p = kw_cauchy_parts(x, d);
    let odd = lambda1 * ((p.w - p.u) * (p.w + p.u));
    return (odd - 2.0 * lambda2 * (p.u * p.v)) * p.v * p.v;
}

fn kw_cauchy_d2(x: f32, lambda1: f32, lambda2: f32, d: f32) -> f32 {
    if kw_is_nan(x) {
        return x;
    }
    let p = kw_cauchy_parts(x, d);
    let odd = lambda1 * (p.u * (p.u * p.u - 3.0 * (p.w * p.w)));
    let even = lambda2 * (p.v * (3.0 * (p.u * p.u) - p.w * p.w));
    return 2.0 * (odd + even) * p.v * p.v * p.v;
}
