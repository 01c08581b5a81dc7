// s sigma(z) - o with z = temperature x. It is also (s/2) tanh(z/2) + (s/2 - o) and (s - o) - s sigma(-z): of the three, that
// with the smallest constant, so that tails and roots keep their relative accuracy. z is carried in two parts.
#import shared/bits
#import shared/logistic
#import shared/product
#import shared/tanh

fn kw_tempered_parts(x: f32, temperature: f32) -> KwLogistic {
    let z = kw_product(temperature, kw_held(x));
    return kw_logistic(z.hi, z.lo);
}

fn kw_tempered_sigmoid(x: f32, s: f32, temperature: f32, o: f32) -> f32 {
    if kw_is_nan(x) {
        return x;
    }
    let low = abs(o);
    let middle = abs(0.5 * s - o);
    let high = abs(s - o);
    if middle <= low && middle <= high {
        return 0.5 * s * kw_tanh(0.5 * temperature * kw_held(x)) + (0.5 * s - o);
    }
    let l = kw_tempered_parts(x, temperature);
    if low <= high {
        return s * l.s - o;
    }
    return (s - o) - s * l.c;
}

fn kw_tempered_sigmoid_d1(x: f32, s: f32, temperature: f32, o: f32) -> f32 {
    if kw_is_nan(x) {
        return x;
    }
    return s * kw_tempered_parts(x, temperature).slope * temperature;
}

fn kw_tempered_sigmoid_d2(x: f32, s: f32, temperature: f32, o: f32) -> f32 {
    if kw_is_nan(x) {
        return x;
    }
    let l = kw_tempered_parts(x, temperature);
    return -(s * l.slope * temperature) * l.tilt * temperature;
}
