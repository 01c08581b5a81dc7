// cos kx for k = 1 .. K, then sin kx, each from its own angle: turning one by the next would gather the rounding of every
// turn, and derivatives multiply it by k.
#import shared/bits
#import shared/trig
#import kan/bases/params

struct KanState {
    x: f32,
    m: u32,
}

// The sine of k x + `ahead` quarter turns. k times either half of x is exact.
fn kan_harmonic(x: f32, k: f32, ahead: u32) -> f32 {
    if !kw_is_finite(x) {
        return kw_nan();
    }
    let high = kw_high(x);
    let fine = k * (x - high);
    let angle = kw_reduce(k * high);
    if abs(fine) < 0.02 {
        return kw_sin_reduced(angle.r + fine, angle.quadrant + ahead);
    }
    return kw_sin_reduced(angle.r, angle.quadrant + ahead) * kw_cos(fine)
        + kw_sin_reduced(angle.r, angle.quadrant + ahead + 1u) * kw_sin(fine);
}

fn kan_begin(x: f32, first: u32) -> KanState {
    return KanState(x, first);
}

fn kan_next(state: ptr<function, KanState>) -> f32 {
    let m = (*state).m;
    (*state).m += 1u;
    let count = params.bases / 2u;
    let k = f32(m % count + 1u);
    // A cosine is a quarter turn ahead, each derivative is one more and a factor k.
    var value = kan_harmonic((*state).x, k, KAN_DERIVATIVE + select(1u, 0u, m >= count));
    for (var d = 0u; d < KAN_DERIVATIVE; d++) {
        value *= k;
    }
    return value;
}
