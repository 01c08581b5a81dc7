// Integers that lie somewhere from x to y, as a mask computes with them for a whole tile of queries and keys at once. A result may be
// wider than need be, never narrower. Truth is 0 to 1.
#import attention/mask

// Entries of a table that are looked at, at most.
const LOOKED_AT: i32 = 64;

fn exactly(x: i32) -> vec2<i32> {
    return vec2<i32>(x, x);
}

fn anything() -> vec2<i32> {
    return vec2<i32>(number(0x80000000u), number(0x7fffffffu));
}

// Whether sums and differences of two such cannot wrap.
fn is_small(a: vec2<i32>) -> bool {
    return a.x >= -0x3fffffff && a.y <= 0x3fffffff;
}

fn range_add(a: vec2<i32>, b: vec2<i32>) -> vec2<i32> {
    return select(anything(), a + b, is_small(a) && is_small(b));
}

fn range_sub(a: vec2<i32>, b: vec2<i32>) -> vec2<i32> {
    return select(anything(), a - b.yx, is_small(a) && is_small(b));
}

fn range_mul(a: vec2<i32>, b: vec2<i32>) -> vec2<i32> {
    if min(a.x, b.x) < -0x7fff || max(a.y, b.y) > 0x7fff {
        return anything();
    }
    let c = a.x * b;
    let d = a.y * b;
    return vec2<i32>(min(min(c.x, c.y), min(d.x, d.y)), max(max(c.x, c.y), max(d.x, d.y)));
}

fn range_div(a: vec2<i32>, b: vec2<i32>) -> vec2<i32> {
    if b.x != b.y || b.x <= 0 {
        return anything();
    }
    return vec2<i32>(quotient(a.x, b.x), quotient(a.y, b.x));
}

fn range_rem(a: vec2<i32>, b: vec2<i32>) -> vec2<i32> {
    if b.x != b.y || b.x <= 0 {
        return anything();
    }
    // Within one run of the divisor the remainder rises with the dividend.
    if quotient(a.x, b.x) == quotient(a.y, b.x) && (a.x >= 0 || a.y <= 0) {
        return vec2<i32>(remainder(a.x, b.x), remainder(a.y, b.x));
    }
    return vec2<i32>(select(1 - b.x, 0, a.x >= 0), select(b.x - 1, 0, a.y <= 0));
}

fn range_abs(a: vec2<i32>) -> vec2<i32> {
    if !is_small(a) {
        return anything();
    }
    return vec2<i32>(max(max(a.x, -a.y), 0), max(a.y, -a.x));
}

fn range_less(a: vec2<i32>, b: vec2<i32>) -> vec2<i32> {
    return select(vec2<i32>(0), vec2<i32>(1), vec2<bool>(a.y < b.x, a.x < b.y));
}

fn range_at_most(a: vec2<i32>, b: vec2<i32>) -> vec2<i32> {
    return select(vec2<i32>(0), vec2<i32>(1), vec2<bool>(a.y <= b.x, a.x <= b.y));
}

fn range_equal(a: vec2<i32>, b: vec2<i32>) -> vec2<i32> {
    let surely = a.x == a.y && b.x == b.y && a.x == b.x;
    return select(vec2<i32>(0), vec2<i32>(1), vec2<bool>(surely, a.x <= b.y && b.x <= a.y));
}

fn range_not(a: vec2<i32>) -> vec2<i32> {
    return vec2<i32>(1) - a.yx;
}

#if tables
// What a table holds where only the last index is not known exactly, or none.
fn range_value(table: u32, a: vec2<i32>, b: vec2<i32>, c: vec2<i32>, d: vec2<i32>) -> vec2<i32> {
    if a.x != a.y || b.x != b.y || c.x != c.y || !is_small(d) || d.y - d.x >= LOOKED_AT {
        return anything();
    }
    var found = exactly(table_value(table, vec4<i32>(a.x, b.x, c.x, d.x)));
    for (var i = d.x + 1; i <= d.y; i++) {
        let x = table_value(table, vec4<i32>(a.x, b.x, c.x, i));
        found = vec2<i32>(min(found.x, x), max(found.y, x));
    }
    return found;
}
#endif
