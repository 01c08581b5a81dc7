// The hyperbolic tangent to 1e-7 of its value, without overflow.
#import shared/bits
#import shared/exp

fn kw_tanh(x: f32) -> f32 {
    let a = abs(x);
    if a < 1.0 {
        // x + x^3 P(x^2).
        let z = x * x;
        var p = -0.00034339353;
        p = p * z + 0.0022551275;
        p = p * z - 0.007892639;
        p = p * z + 0.021458227;
        p = p * z - 0.053873233;
        p = p * z + 0.13332306;
        p = p * z - 0.333333;
        return x + x * (z * p);
    }
    if kw_is_nan(x) {
        return x;
    }
    // From 9.02 on the nearest float is 1.
    let t = select(1.0 - 2.0 / (kw_exp(2.0 * min(a, 10.0)) + 1.0), 1.0, a > 9.02);
    return select(t, -t, x < 0.0);
}
