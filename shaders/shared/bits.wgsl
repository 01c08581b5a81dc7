// Floats by their bits. A comparison with itself may be folded away by a driver that assumes no NaN; the bits may not.

fn kw_is_nan(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}

// Neither NaN nor an infinity.
fn kw_is_finite(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7f800000u) != 0x7f800000u;
}

// Infinity and NaN go through a variable: as constant expressions WGSL does not allow them.
fn kw_inf() -> f32 {
    var bits = 0x7f800000u;
    return bitcast<f32>(bits);
}

fn kw_nan() -> f32 {
    var bits = 0x7fc00000u;
    return bitcast<f32>(bits);
}

// `x` with its low 12 bits cleared: the square of the result, and a product of two such, is exact.
fn kw_high(x: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(x) & 0xfffff000u);
}

// 2^n for n from -126 to 127.
fn kw_pow2(n: i32) -> f32 {
    return bitcast<f32>(u32(n + 127) << 23u);
}

// y 2^n for n from -252 to 254, in two steps so that neither factor leaves the range of f32.
fn kw_scale(y: f32, n: i32) -> f32 {
    let half = n >> 1u;
    return y * kw_pow2(half) * kw_pow2(n - half);
}
