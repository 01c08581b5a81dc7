// The error function and its complement, each to a few ulp of its own value.
#import shared/bits
#import shared/exp

// erf x, relatively accurate near 0 and +-1 from 3.92 on.
fn kw_erf(x: f32) -> f32 {
    let a = abs(x);
    if a < 1.0 {
        // x + x P(x^2).
        let z = x * x;
        var p = -2.334188e-6;
        p = p * z + 8.674296e-5;
        p = p * z - 0.0008123684;
        p = p * z + 0.0051961336;
        p = p * z - 0.02685658;
        p = p * z + 0.11283632;
        p = p * z - 0.3761263;
        p = p * z + 0.12837917;
        return x + x * p;
    }
    if kw_is_nan(x) {
        return x;
    }
    // 1 - e^P(a), P = ln erfc.
    let b = min(a, 4.0);
    var p = 4.6787374e-8;
    p = p * b - 2.2371523e-5;
    p = p * b + 0.00044563535;
    p = p * b - 0.0042196843;
    p = p * b + 0.02524085;
    p = p * b - 0.108462654;
    p = p * b - 0.63318336;
    p = p * b - 1.1295954;
    p = p * b + 0.000191427;
    let y = select(1.0 - kw_exp(p), 1.0, a > 3.92);
    return select(y, -y, x < 0.0);
}

// e^(x^2) erfc x for x from 0.45 to 10.5: P((x - 2) / (x + 2)) / (1 + 2 x).
fn kw_erfcx(x: f32) -> f32 {
    let t = (x - 2.0) / (x + 2.0);
    var p = -0.000251888;
    p = p * t - 0.0012599374;
    p = p * t + 0.0011680563;
    p = p * t + 0.008658986;
    p = p * t - 0.008012173;
    p = p * t - 0.054212578;
    p = p * t + 0.1640496;
    p = p * t - 0.16603054;
    p = p * t - 0.092763804;
    p = p * t + 1.2769784;
    return p / (1.0 + 2.0 * x);
}

// e^(-c x^2) for c = 1 or 1/2 and |x| < 1e15: the rounding of x^2 would cost x^2 ulp, so it is carried as two floats.
fn kw_exp_neg_square(c: f32, x: f32) -> f32 {
    let h = kw_high(x);
    return kw_exp_parts(-c * (h * h), c * ((h - x) * (h + x)));
}

// erfc x = 1 - erf x, relatively accurate far into its tail.
fn kw_erfc(x: f32) -> f32 {
    if kw_is_nan(x) {
        return x;
    }
    if x < 0.5 {
        return 1.0 - kw_erf(x);
    }
    if x > 10.1 {
        return 0.0;
    }
    return kw_exp_neg_square(1.0, x) * kw_erfcx(x);
}
