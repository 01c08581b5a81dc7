// The length of (x, y), whose squares may overflow or vanish.

// sqrt(x^2 + y^2) for y >= 0 and finite.
fn kw_hypot(x: f32, y: f32) -> f32 {
    let a = abs(x);
    let m = max(a, y);
    if m == 0.0 {
        return 0.0;
    }
    // n / m, of which the square is added to 1.
    let k = min(a, y) / m;
    return m * sqrt(1.0 + k * k);
}

// x / r for r = kw_hypot(x, y): the sign of x where y has vanished beside it, infinities included.
fn kw_share(x: f32, r: f32) -> f32 {
    return select(x / r, select(1.0, -1.0, x < 0.0), abs(x) == r);
}
