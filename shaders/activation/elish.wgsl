// elish(x) = x sigma(x) from 0 on, (e^x - 1) sigma(x) below. The slopes agree at 0; the second derivative jumps from 1 on
// the left to 1/2, and has the right one at 0. Below 0 all three are rational in n = e^x.
#import activation/silu
#import shared/exp

fn kw_elish(x: f32) -> f32 {
    if x < 0.0 {
        let n = kw_exp(x);
        return kw_expm1(x) * n / (1.0 + n);
    }
    return kw_silu(x);
}

fn kw_elish_d1(x: f32) -> f32 {
    if x < 0.0 {
        let n = kw_exp(x);
        let q = 1.0 / (1.0 + n);
        return n * (n * (n + 2.0) - 1.0) * q * q;
    }
    return kw_silu_d1(x);
}

fn kw_elish_d2(x: f32) -> f32 {
    if x < 0.0 {
        let n = kw_exp(x);
        let q = 1.0 / (1.0 + n);
        return n * (n * (n * (n + 3.0) + 5.0) - 1.0) * q * q * q;
    }
    return kw_silu_d2(x);
}
