// Floats to integers: truncated towards zero, saturated at the ends of the type, NaN to 0.

#import shared/bits

fn kw_to_i32(x: f32) -> i32 {
    if kw_is_nan(x) {
        return 0;
    }
    // The largest float below 2^31 is 2147483520; everything from 2^31 on saturates.
    if x >= 2147483648.0 {
        return 2147483647;
    }
    return i32(clamp(x, -2147483648.0, 2147483520.0));
}

fn kw_to_u32(x: f32) -> u32 {
    if kw_is_nan(x) {
        return 0u;
    }
    if x >= 4294967296.0 {
        return 4294967295u;
    }
    return u32(clamp(x, 0.0, 4294967040.0));
}
