// Elements as keys: unsigned integers in the order that elements are sorted in. Flags: `float` (f32), `signed` (i32), else
// u32; `descending`. NaN is the largest, and all NaN are equal; -0 is equal to 0.

// The key of what comes last: ascending NaN, or beyond every element.
const LAST: u32 = 0xffffffffu;

fn key_of(bits: u32) -> u32 {
#if float
    // A negative number is as far below the key of 0 as its magnitude's bits say.
    var key = bits ^ 0x80000000u;
    if bits > 0x7fffffffu {
        key = 0u - bits;
    }
    if (bits & 0x7fffffffu) > 0x7f800000u {
        key = LAST;
    }
#else
#if signed
    let key = bits ^ 0x80000000u;
#else
    let key = bits;
#endif
#endif
#if descending
    return ~key;
#else
    return key;
#endif
}
