// Which pairs of a query and a key a mask allows. A kernel of the host's making adds in front: `allowed`, a mask's predicate
// (flag `masked`), and `tables`, the integers that it looks up (flag `tables`).
#import attention/params

fn position_of(row: u32) -> i32 {
    return i32(row) + i32(params.keys) - i32(params.queries);
}

// An integer that the compiler does not see: it would refuse an overflow.
fn number(bits: u32) -> i32 {
    return bitcast<i32>(bits);
}

fn quotient(a: i32, b: i32) -> i32 {
    if b == 0 {
        return 0;
    }
    if b == -1 {
        return 0 - a;
    }
    return a / b;
}

fn remainder(a: i32, b: i32) -> i32 {
    if b == 0 || b == -1 {
        return 0;
    }
    return a - a / b * b;
}

#if tables
// The element of a table at indices that are clamped to its sizes.
fn table_value(table: u32, at: vec4<i32>) -> i32 {
    let first = params.tables[2u * table].x;
    let sizes = vec4<i32>(params.tables[2u * table + 1u]);
    let i = clamp(at, vec4<i32>(0), max(sizes - vec4<i32>(1), vec4<i32>(0)));
    return tables[first + u32(((i.x * sizes.y + i.y) * sizes.z + i.z) * sizes.w + i.w)];
}
#endif

#if masked
fn is_allowed(at: Place, key: u32) -> bool {
    return allowed(position_of(at.row), i32(key), i32(at.row), i32(at.head), i32(at.batch));
}
#else
fn is_allowed(at: Place, key: u32) -> bool {
    return true;
}
#endif
