// A wavelet's derivatives: f(u) = e^(i w u - u^2 / 2) has f^(n+1) = (i w - u) f^(n) - n f^(n-1), and each wavelet is
// FACTOR times the real part of one of these.
#import shared/bits
#import shared/exp
#import shared/trig

// w
const FREQUENCY: f32 = 0.0;
const FACTOR: f32 = 1.0;
// n of the wavelet's derivative that is asked for.
const DERIVATIVE: u32 = 0u;
// A power of u before it.
const POWER: u32 = 0u;

struct WaveletParams {
    rows: u32,
    inputs: u32,
    outputs: u32,
    // The sum is split into so many parts of `span`.
    parts: u32,
    span: u32,
    pad0: u32,
    pad1: u32,
    pad2: u32,
}

@group(0) @binding(0) var<uniform> params: WaveletParams;

// (x - t) / s; NaN where s is 0. Beyond +-20 the wavelet is 0; u is held there so that no infinity meets it.
fn wavelet_argument(x: f32, s: f32, t: f32) -> f32 {
    if s == 0.0 {
        return kw_nan();
    }
    let u = (x - t) / s;
    if kw_is_nan(u) {
        return u;
    }
    return clamp(u, -20.0, 20.0);
}

// u^p psi^(d) and u^p psi^(d+1).
fn wavelet(u: f32) -> vec2<f32> {
    let e = kw_exp(-0.5 * u * u);
    var f = vec2<f32>(e, 0.0);
    if FREQUENCY > 0.0 {
        f = e * vec2<f32>(kw_cos(FREQUENCY * u), kw_sin(FREQUENCY * u));
    }
    var before = vec2<f32>();
    var value = f.x;
    for (var n = 0u; n <= DERIVATIVE; n++) {
        value = f.x;
        let next = vec2<f32>(-FREQUENCY * f.y, FREQUENCY * f.x) - u * f - f32(n) * before;
        before = f;
        f = next;
    }
    var power = FACTOR;
    for (var p = 0u; p < POWER; p++) {
        power *= u;
    }
    return power * vec2<f32>(value, f.x);
}
