// The hyperbolic tangent in two floats, to about 1e-9 of its value: (1 - e) / (1 + e) with e = e^(-2 |x|).
#import shared/pair

fn kw_tanh_pair(x: f32) -> vec2<f32> {
    if kw_is_nan(x) {
        return vec2<f32>(x, x);
    }
    // From 20 on nothing of e is left.
    let y = -2.0 * min(abs(x), 20.0);
    // y = n ln 2 + r; the first product and difference are exact.
    let n = round(y * 1.442695);
    let r = kw_pair_add(vec2<f32>(y - n * 0.693145751953125, 0.0), vec2<f32>(-n * 1.4286068e-6, 0.0));
    // e^r - 1 = r + r^2 / 2 + r^3 (1 / 6 + ...): only the last term is rounded to one float.
    var p = 2.4801587e-5;
    p = p * r.x + 0.0001984127;
    p = p * r.x + 0.0013888889;
    p = p * r.x + 0.008333334;
    p = p * r.x + 0.041666668;
    p = p * r.x + 0.16666667;
    let square = kw_pair_mul(r, r);
    let cube = (square.x * r.x) * p;
    let m = kw_pair_add(kw_pair_add(r, 0.5 * square), vec2<f32>(cube, 0.0));
    // e - 1 = 2^n m + (2^n - 1)
    let scale = kw_pow2(i32(n));
    let less = kw_rounded(scale - 1.0);
    let e = kw_pair_add(vec2<f32>(less, scale - (less + 1.0)), scale * m);
    let under = kw_pair_add(vec2<f32>(2.0, 0.0), e);
    let first = -e.x / under.x;
    let rest = kw_pair_add(-e, -kw_pair_mul(vec2<f32>(first, 0.0), under));
    let t = kw_pair(first, rest.x / under.x);
    return select(t, -t, x < 0.0);
}
