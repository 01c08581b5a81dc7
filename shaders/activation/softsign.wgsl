// x / (1 + |x|). Beyond 1e8 it is -+1, infinities included.
#import shared/bits

fn kw_softsign(x: f32) -> f32 {
    if abs(x) > 1e8 {
        return select(1.0, -1.0, x < 0.0);
    }
    return x / (1.0 + abs(x));
}

fn kw_softsign_d1(x: f32) -> f32 {
    let q = 1.0 / (1.0 + abs(x));
    return q * q;
}

// 0 at its jump.
fn kw_softsign_d2(x: f32) -> f32 {
    if kw_is_nan(x) {
        return x;
    }
    let q = 1.0 / (1.0 + abs(x));
    return select(select(0.0, 2.0, x < 0.0), -2.0, x > 0.0) * q * q * q;
}
