// Numbers of two floats, x + y with |y| at most half a unit in the last place of x: about 45 bits, for sums whose terms
// cancel. No step is spoilt where a driver joins a product and a sum into one rounding: such products are exact.
#import shared/bits

// 0, which no compiler may know: whoever uses pairs sets it from a parameter. Drivers simplify (a + b) - a to b, as if
// floats were real numbers; a sum that went through here is no sum to them.
var<private> kw_zero: u32;

fn kw_rounded(x: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(x) ^ kw_zero);
}

// hi + lo, where |hi| >= |lo|.
fn kw_pair(hi: f32, lo: f32) -> vec2<f32> {
    let sum = kw_rounded(hi + lo);
    return vec2<f32>(sum, lo - (sum - hi));
}

fn kw_pair_add(a: vec2<f32>, b: vec2<f32>) -> vec2<f32> {
    // What the first sum rounds away (Knuth).
    let sum = kw_rounded(a.x + b.x);
    let part = kw_rounded(sum - a.x);
    let lost = (a.x - (sum - part)) + (b.x - part);
    return kw_pair(sum, lost + (a.y + b.y));
}

fn kw_pair_mul(a: vec2<f32>, b: vec2<f32>) -> vec2<f32> {
    // Halves of 12 bits: the product of the upper ones is exact.
    let ah = kw_high(a.x);
    let bh = kw_high(b.x);
    let al = a.x - ah;
    let bl = b.x - bh;
    return kw_pair(ah * bh, (ah * bl + al * bh) + (al * bl + (a.x * b.y + a.y * b.x)));
}
