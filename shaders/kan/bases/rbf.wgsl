// exp(-((x - c_m) / s)^2), c_m = lo + m h. table = (lo_hi, lo_lo, h_hi, h_lo), (1 / s, 0, 0, 0): ends and step in two
// floats each, m h_hi exact.
#import shared/bits
#import shared/exp
#import kan/bases/params

struct KanState {
    x: f32,
    m: u32,
}

fn kan_begin(x: f32, first: u32) -> KanState {
    return KanState(x, first);
}

fn kan_next(state: ptr<function, KanState>) -> f32 {
    let x = (*state).x;
    let m = f32((*state).m);
    (*state).m += 1u;
    if kw_is_nan(x) {
        return x;
    }
    // The centre in two floats: `lost` is what the first one rounds away.
    let ends = params.table[0];
    let by = params.table[KAN_TABLE - 1u].x;
    let far = m * ends.z;
    let centre = ends.x + far;
    let part = centre - ends.x;
    let lost = (ends.x - (centre - part)) + (far - part);
    // Beyond +-15 the function is 0; z is held there so that no infinity meets it.
    let z = clamp(((x - centre) - (lost + (ends.y + m * ends.w))) * by, -15.0, 15.0);
    var f: KanJet;
    f[0] = kw_exp(-(z * z));
    for (var k = 1u; k <= KAN_DERIVATIVE; k++) {
        var sum = z * f[k - 1u];
        if k > 1u {
            sum += by * f[k - 2u];
        }
        f[k] = sum * by * (-2.0 / f32(k));
    }
    return f[KAN_DERIVATIVE] * KAN_FACTORIAL;
}
