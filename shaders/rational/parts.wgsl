// A rational function P / Q with coefficients of its own for each group of channels: P = sum p_i x^i, i from 0, and
// Q = 1 + |sum q_j x^j| or (flag `absolute`) 1 + sum |q_j x^j|, j from 1. Where the polynomials are large, both are divided
// by powers of x, so that no infinity is divided by another.
#import shared/bits

struct Params {
    groups: u32,
    // channels of a group, and its elements (or those of all groups)
    per: u32,
    elements: u32,
    // parts a group, and elements a part
    parts: u32,
    span: u32,
    // coefficients of P and Q
    m: u32,
    n: u32,
    pad: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> p: array<f32>;
@group(0) @binding(3) var<storage, read> q: array<f32>;

const RATIONAL_LARGE: f32 = 1e18;

struct RationalParts {
    y: f32,
    slope: f32,
    // the sign of sum q_j x^j
    sign: f32,
    // |x|^at / Q
    power: f32,
    at: u32,
}

fn rational_q(at: u32) -> f32 {
#if absolute
    return abs(q[at]);
#else
    return q[at];
#endif
}

// The sign of x; 0 and NaN stay.
fn rational_sign(v: f32) -> f32 {
    return select(select(v, -1.0, v < 0.0), 1.0, v > 0.0);
}

// value, or -value where v is negative and the exponent odd.
fn rational_signed(value: f32, v: f32, exponent: u32) -> f32 {
    return select(value, -value, v < 0.0 && (exponent & 1u) == 1u);
}

// value times v^(up - down), factor by factor.
fn rational_times_power(value: f32, v: f32, up: u32, down: u32) -> f32 {
    var result = value;
    for (var k = down; k < up; k++) {
        result *= v;
    }
    let z = 1.0 / v;
    for (var k = up; k < down; k++) {
        result *= z;
    }
    return result;
}

// With z = 1/v, P = v^m sum p_i z^(m-i) and Q = |v|^n (|z|^n + |sum q_j z^(n-j)|), m and n the last powers that occur.
fn rational_reversed(v: f32, group: u32) -> RationalParts {
    let p0 = group * params.m;
    let q0 = group * params.n;
    var m = params.m - 1u;
    while m > 0u && p[p0 + m] == 0.0 {
        m--;
    }
    var n = params.n;
    while n > 0u && q[q0 + n - 1u] == 0.0 {
        n--;
    }
    let z = 1.0 / v;
    var top = 0.0;
    var d_top = 0.0;
    for (var i = 0u; i <= m; i++) {
        let c = p[p0 + i];
        top = top * z + c;
        d_top = d_top * z + f32(i) * c;
    }
#if absolute
    let w = abs(z);
#else
    let w = z;
#endif
    var sum = 0.0;
    var d_sum = 0.0;
    var one = 1.0;
    for (var j = 1u; j <= n; j++) {
        let c = rational_q(q0 + j - 1u);
        sum = sum * w + c;
        d_sum = d_sum * w + f32(j) * c;
        one *= abs(z);
    }
    let bottom = one + abs(sum);
    let ratio = top / bottom;
    let slope = (d_top - rational_sign(sum) * d_sum * ratio) / bottom;
    var parts: RationalParts;
    parts.y = rational_signed(rational_times_power(ratio, v, m, n), v, n);
    parts.slope = rational_signed(rational_times_power(slope, v, m, n + 1u), v, n);
    parts.sign = rational_signed(rational_sign(sum), v, n);
    parts.power = 1.0 / bottom;
    parts.at = n;
    return parts;
}

fn rational_parts(v: f32, group: u32) -> RationalParts {
    let p0 = group * params.m;
    let q0 = group * params.n;
    var top = 0.0;
    var d_top = 0.0;
    for (var i = params.m; i > 0u; i--) {
        d_top = d_top * v + top;
        top = top * v + p[p0 + i - 1u];
    }
#if absolute
    let w = abs(v);
#else
    let w = v;
#endif
    var sum = 0.0;
    var d_sum = 0.0;
    for (var j = params.n; j > 0u; j--) {
        d_sum = d_sum * w + sum;
        sum = sum * w + rational_q(q0 + j - 1u);
    }
    d_sum = d_sum * w + sum;
    sum = sum * w;
    let bottom = 1.0 + abs(sum);
    let small = abs(top) < RATIONAL_LARGE && abs(d_top) < RATIONAL_LARGE && bottom < RATIONAL_LARGE
        && abs(d_sum) < RATIONAL_LARGE;
    if abs(v) > 1.0 && !small {
        return rational_reversed(v, group);
    }
    var parts: RationalParts;
    parts.sign = rational_sign(sum);
#if absolute
    let outer = rational_sign(v);
#else
    let outer = parts.sign;
#endif
    parts.y = top / bottom;
    parts.slope = (d_top - outer * d_sum * parts.y) / bottom;
    parts.power = 1.0 / bottom;
    parts.at = 0u;
    return parts;
}
