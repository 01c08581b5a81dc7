// cos kx for k = 1 .. K, then sin kx. One sine and cosine, turned by x from each k to the next; every RESTART harmonics
// the angle is exact again.
#import shared/bits
#import shared/trig
#import kan/bases/params

const RESTART: u32 = 16u;

struct KanState {
    x: f32,
    m: u32,
    // (cos, sin) of x and of the last k x.
    once: vec2<f32>,
    at: vec2<f32>,
}

fn kan_turned(a: vec2<f32>, b: vec2<f32>) -> vec2<f32> {
    return vec2<f32>(a.x * b.x - a.y * b.y, a.y * b.x + a.x * b.y);
}

// (cos kx, sin kx): k times either half of x is exact.
fn kan_angle(x: f32, k: f32) -> vec2<f32> {
    let high = kw_high(x);
    let coarse = vec2<f32>(kw_cos(k * high), kw_sin(k * high));
    let fine = k * (x - high);
    return kan_turned(coarse, vec2<f32>(kw_cos(fine), kw_sin(fine)));
}

fn kan_begin(x: f32, first: u32) -> KanState {
    var state: KanState;
    state.x = x;
    state.once = vec2<f32>(kw_cos(x), kw_sin(x));
    // From the last exact angle on.
    let behind = (first % (params.bases / 2u)) % RESTART;
    state.m = first - behind;
    for (var m = 0u; m < behind; m++) {
        kan_next(&state);
    }
    return state;
}

fn kan_next(state: ptr<function, KanState>) -> f32 {
    let m = (*state).m;
    (*state).m += 1u;
    let count = params.bases / 2u;
    let of_sin = m >= count;
    let k = m % count;
    if k == 0u {
        (*state).at = (*state).once;
    } else if k % RESTART == 0u {
        (*state).at = kan_angle((*state).x, f32(k + 1u));
    } else {
        (*state).at = kan_turned((*state).at, (*state).once);
    }
    // Each derivative is a quarter turn and a factor k.
    let turns = KAN_DERIVATIVE + select(0u, 3u, of_sin);
    let at = (*state).at;
    var value = select(at.x, at.y, (turns & 1u) == 1u);
    // cos, -sin, -cos, sin
    let quarter = turns & 3u;
    if quarter == 1u || quarter == 2u {
        value = -value;
    }
    for (var d = 0u; d < KAN_DERIVATIVE; d++) {
        value *= f32(k + 1u);
    }
    return value;
}
