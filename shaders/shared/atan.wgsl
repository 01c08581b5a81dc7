// The arctangent to a few ulp. atan t = t + t^3 P(t^2) up to 1; beyond, pi/2 less that of the reciprocal.
#import shared/bits

// atan(t) / t - 1 over z, for z = t^2 up to 1.
fn kw_atan_tail(z: f32) -> f32 {
    var p = -0.0024234396;
    p = p * z + 0.013655427;
    p = p * z - 0.0361151;
    p = p * z + 0.062711455;
    p = p * z - 0.08666924;
    p = p * z + 0.11036388;
    p = p * z - 0.14278908;
    p = p * z + 0.19999756;
    return p * z - 0.3333333;
}

fn kw_atan(x: f32) -> f32 {
    if kw_is_nan(x) {
        return x;
    }
    let a = abs(x);
    let t = select(a, 1.0 / a, a > 1.0);
    let z = t * t;
    let near = t + t * (z * kw_atan_tail(z));
    // pi/2 in two parts.
    let y = select(near, (1.5707964 - near) - 4.371139e-8, a > 1.0);
    return select(y, -y, x < 0.0);
}
