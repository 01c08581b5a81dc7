// apa(x) = (lambda e^(-kappa x) + 1)^(-1/lambda), lambda > 0, and aglu(x) = x apa(x). In the log domain, with
// v = ln lambda - kappa x: apa = e^(-softplus(v) / lambda). Its slope is apa k with k = kappa sigma(v) / lambda, and the slope
// of that apa k bend with bend = kappa (sigma(v) / lambda - sigma(-v)).
#import shared/gate
#import shared/log
#import shared/product

struct KwApa {
    value: f32,
    k: f32,
    bend: f32,
}

fn kw_apa_parts(x: f32, lambda: f32, kappa: f32) -> KwApa {
    if kw_is_nan(x) {
        return KwApa(x, x, x);
    }
    let u = kw_product(-kappa, kw_held(x));
    let v = kw_log(lambda) + (u.hi + u.lo);
    // e = e^-|v|, taken from u: ln lambda is rounded, lambda is not.
    var e: f32;
    var sum: f32;
    if v < 0.0 {
        e = lambda * kw_exp_parts(u.hi, u.lo);
        sum = kw_log1p(e);
    } else {
        e = kw_exp_parts(-u.hi, -u.lo) / lambda;
        sum = v + kw_log1p(e);
    }
    let q = 1.0 / (1.0 + e);
    let s = select(q, e * q, v < 0.0);
    let c = select(e * q, q, v < 0.0);
    return KwApa(kw_exp(-sum / lambda), kappa * s / lambda, kappa * (s / lambda - c));
}

fn kw_apa(x: f32, lambda: f32, kappa: f32) -> f32 {
    return kw_apa_parts(x, lambda, kappa).value;
}

fn kw_apa_d1(x: f32, lambda: f32, kappa: f32) -> f32 {
    let a = kw_apa_parts(x, lambda, kappa);
    return a.value * a.k;
}

fn kw_apa_d2(x: f32, lambda: f32, kappa: f32) -> f32 {
    let a = kw_apa_parts(x, lambda, kappa);
    return a.value * a.k * a.bend;
}

fn kw_aglu(x: f32, lambda: f32, kappa: f32) -> f32 {
    return kw_vanishing(x, kw_apa_parts(x, lambda, kappa).value);
}

fn kw_aglu_d1(x: f32, lambda: f32, kappa: f32) -> f32 {
    let a = kw_apa_parts(x, lambda, kappa);
    return kw_vanishing(1.0 + kw_held(x) * a.k, a.value);
}

fn kw_aglu_d2(x: f32, lambda: f32, kappa: f32) -> f32 {
    let a = kw_apa_parts(x, lambda, kappa);
    return kw_vanishing(2.0 * a.k + (kw_held(x) * a.k) * a.bend, a.value);
}
