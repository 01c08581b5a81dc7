// Sine and cosine for every finite x; WGSL promises its own only between -pi and pi, and there 2^-11.
//
// x = n pi/2 + r with |r| <= pi/4. Up to 512, pi/2 is split into three parts of which n times the first two is exact
// (Cody and Waite); above, the bits of 2/pi that matter are multiplied as integers (Payne and Hanek).
#import shared/bits

struct KwAngle {
    r: f32,
    // n, of which the last two bits count.
    quadrant: u32,
}

// The upper word of a product; `a` below 2^24.
fn kw_mul_high(a: u32, b: u32) -> u32 {
    let low = (a & 0xffffu) * (b & 0xffffu);
    let middle = (a >> 16u) * (b & 0xffffu) + (low >> 16u);
    let other = (a & 0xffffu) * (b >> 16u) + (middle & 0xffffu);
    return (a >> 16u) * (b >> 16u) + (middle >> 16u) + (other >> 16u);
}

fn kw_reduce_large(x: f32) -> KwAngle {
    // The binary digits of 2/pi, after a word of zeros.
    var digits = array<u32, 7>(
        0u, 0xa2f9836eu, 0x4e441529u, 0xfc2757d1u, 0xf534ddc0u, 0xdb629599u, 0x3c439041u,
    );
    let bits = bitcast<u32>(x);
    let mantissa = (bits & 0x007fffffu) | 0x00800000u;
    // |x| = mantissa 2^k. Digits of more weight than 2^(1 - k) give whole turns; 64 from there on are enough.
    let k = ((bits >> 23u) & 0xffu) - 120u;
    let word = k >> 5u;
    let shift = k & 31u;
    // A shift by 32 is not one: two shifts.
    let high = (digits[word] << shift) | ((digits[word + 1u] >> 1u) >> (31u - shift));
    let low = (digits[word + 1u] << shift) | ((digits[word + 2u] >> 1u) >> (31u - shift));
    // |x| 2/pi in units of 2^-62, modulo 4.
    let top = mantissa * high + kw_mul_high(mantissa, low);
    let bottom = mantissa * low;
    let n = (top + 0x20000000u) >> 30u;
    let fraction = bitcast<i32>(((top - (n << 30u)) << 2u) | (bottom >> 30u));
    // Times pi/2 2^-32. The product of the first parts is exact, so that r is rounded once.
    let coarse = fraction & ~0x7ffff;
    let fine = f32(fraction - coarse);
    let r = f32(coarse) * 3.6561687011271715e-10 + (f32(coarse) * 1.1264970347594355e-13 + fine * 3.6572952e-10);
    if x < 0.0 {
        return KwAngle(-r, 4u - n);
    }
    return KwAngle(r, n);
}

fn kw_reduce(x: f32) -> KwAngle {
    if abs(x) < 0.78 {
        return KwAngle(x, 0u);
    }
    if abs(x) >= 512.0 {
        return kw_reduce_large(x);
    }
    let n = round(x * 0.63661975);
    let r = ((x - n * 1.57073974609375) - n * 5.657970905303955e-05) - n * 9.920936e-10;
    return KwAngle(r, bitcast<u32>(i32(n)));
}

// The sine of r + n pi/2, with |r| <= pi/4.
fn kw_sin_reduced(r: f32, n: u32) -> f32 {
    let z = r * r;
    let s = r + r * z * (((2.8262202e-6 * z - 0.00019852554) * z + 0.0083333785) * z - 0.16666667);
    let c = 1.0 - (0.5 * z - z * z * (((-2.885992e-7 * z + 2.4821915e-5) * z - 0.001388898) * z + 0.041666668));
    let y = select(s, c, (n & 1u) == 1u);
    return select(y, -y, (n & 2u) == 2u);
}

fn kw_sin(x: f32) -> f32 {
    if !kw_is_finite(x) {
        return kw_nan();
    }
    let angle = kw_reduce(x);
    return kw_sin_reduced(angle.r, angle.quadrant);
}

fn kw_cos(x: f32) -> f32 {
    if !kw_is_finite(x) {
        return kw_nan();
    }
    let angle = kw_reduce(x);
    return kw_sin_reduced(angle.r, angle.quadrant + 1u);
}
